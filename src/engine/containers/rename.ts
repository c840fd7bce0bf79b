import { EngineError, within } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import { requireValidName } from './names.ts';

export async function renameContainer(context: EngineContext, ref: string, newName: string): Promise<void> {
  const name = newName.startsWith('/') ? newName.slice(1) : newName;
  if (name === '') throw new EngineError('invalid', 'Neither old nor new names may be empty');
  const record = context.containers.get(ref);
  await context.locks.run(record.id, () => {
    if (record.name === name) {
      throw new EngineError('invalid', 'Renaming a container with the same name as its current name');
    }
    requireFreeName(context, name);
    const oldName = record.name;
    context.containers.rename(record, name);
    context.network.rename(record.id, name);
    publishContainerEvent(context, record, 'rename', { oldName: `/${oldName}` });
  });
}

function requireFreeName(context: EngineContext, name: string): void {
  try {
    // Docker quotes an invalid new name with the slash it keeps names with.
    requireValidName(name, `/${name}`);
    context.containers.requireFreeName(name);
  } catch (error) {
    throw within('Error when allocating new name', error);
  }
}
