import { labels, listOf, object, texts } from '../shapes/collections.ts';
import { deviceRequests } from '../shapes/resources.ts';
import {
  byteSize,
  decimal,
  duration,
  durationOrUnset,
  oneOf,
  text,
  whole,
  wholeOrUnset,
} from '../shapes/scalars.ts';

const updateConfig = object({
  parallelism: wholeOrUnset({ min: 0 }),
  delay: duration,
  failure_action: text,
  monitor: duration,
  max_failure_ratio: decimal,
  order: oneOf('start-first', 'stop-first'),
});

const genericResources = listOf(object({ discrete_resource_spec: object({ kind: text, value: whole() }) }));

/** The attributes of `deploy`, in the order Docker prints them. */
export const deploy = object(
  {
    mode: text,
    replicas: wholeOrUnset({ min: 0 }),
    labels,
    update_config: { ...updateConfig, keepsEmpty: true },
    rollback_config: { ...updateConfig, keepsEmpty: true },
    resources: object(
      {
        limits: object({ cpus: decimal, memory: byteSize, pids: whole() }),
        reservations: object({
          cpus: decimal,
          memory: byteSize,
          devices: deviceRequests,
          generic_resources: genericResources,
        }),
      },
      { inJsonWhenEmpty: true },
    ),
    restart_policy: object(
      {
        condition: text,
        delay: durationOrUnset,
        max_attempts: wholeOrUnset({ min: 0 }),
        window: durationOrUnset,
      },
      { keepsEmpty: true },
    ),
    placement: object(
      {
        constraints: texts,
        preferences: listOf(object({ spread: text })),
        max_replicas_per_node: whole({ min: 0 }),
      },
      { inJsonWhenEmpty: true },
    ),
    endpoint_mode: text,
  },
  { mayBeNull: true, keepsEmpty: true },
);
