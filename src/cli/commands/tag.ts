import { act } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { checkReference, splitReference } from '../references.ts';

export const command: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  short: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  aliases: 'image tag, tag',
  flags: '',
  takes: exactly(2),
  async run({ session, args: [name = '', target = ''] }) {
    try {
      checkReference(target);
    } catch (error) {
      throw new EngineError(
        'invalid',
        `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${messageOf(error)}`,
        { cause: error },
      );
    }
    const { repository, tag, digest } = splitReference(target);
    if (digest !== undefined)
      throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
    const query = { repo: repository, tag: tag ?? 'latest' };
    await act(await session.client(), imageOperations.tag, { path: { name }, query });
  },
};
