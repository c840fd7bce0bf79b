import { EngineError } from '../stdx/errors.ts';
import type { Secret, SecretOptions } from '../storage/secrets.ts';
import type { EngineContext } from './context.ts';

/** Values go in and come out nowhere but in containers. */
export interface SecretUseCases {
  create(options: SecretOptions): Secret;
  /** @param ref an id, a name or the beginning of an id */
  get(ref: string): Secret;
  list(): Secret[];
  /** Labels are all that changes. @param change `version` is the one the caller has seen */
  update(ref: string, change: { version: number; labels: Record<string, string> }): void;
  remove(ref: string): void;
}

export function secretUseCases(context: EngineContext): SecretUseCases {
  const store = context.storage.secrets;
  const publish = (action: string, { id, name }: Secret) =>
    context.events.publish('secret', action, id, { name });

  /** Names of containers that have it before their eyes; one that is stopped gets at its next start what is there then. */
  const usersOf = (secret: Secret) =>
    context.containers
      .list()
      .filter(({ state }) => ['running', 'paused', 'restarting'].includes(state.status))
      .filter(({ hostConfig }) => hostConfig.secrets?.some(({ source }) => source === secret.name))
      .map(({ name }) => name);

  return {
    create(options) {
      const secret = store.create(options);
      publish('create', secret);
      return secret;
    },
    get: ref => store.get(ref),
    list: () => store.list(),
    update(ref, { version, labels }) {
      const secret = store.get(ref);
      store.setLabels(secret, version, labels);
      publish('update', secret);
    },
    remove(ref) {
      const secret = store.get(ref);
      const users = usersOf(secret);
      if (users.length > 0) {
        const containers = users.length === 1 ? 'container' : 'containers';
        throw new EngineError(
          'conflict',
          `secret '${secret.name}' is in use by the following ${containers}: ${users.join(', ')}`,
        );
      }
      store.remove(secret);
      publish('remove', secret);
    },
  };
}
