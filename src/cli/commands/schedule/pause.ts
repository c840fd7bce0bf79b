import { act } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { onEachSchedule } from './on-each.ts';

export const command = onEachSchedule('Pause one or more schedules', 'pausing a schedule', (client, id) =>
  act(client, scheduleOperations.pause, { path: { id } }),
);
