import { act } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { onEachSchedule } from './on-each.ts';

export const command = onEachSchedule('Resume one or more schedules', 'resuming a schedule', (client, id) =>
  act(client, scheduleOperations.resume, { path: { id } }),
);
