import { act } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { onEachSchedule } from './on-each.ts';

export const command = onEachSchedule(
  'Start one or more containers now, out of their turn',
  'running a schedule',
  (client, id) => act(client, scheduleOperations.run, { path: { id } }),
);
