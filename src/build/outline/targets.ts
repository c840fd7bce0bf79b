import type { Dockerfile } from '../dockerfile/parse.ts';
import { commentsBefore } from '../lint/comments.ts';
import { columns } from './columns.ts';
import { descriptionOf, locationOf, type OutlineLocation } from './comment.ts';

/** `result.json` of BuildKit's request `frontend.targets`; `--call targets`. */
export interface TargetList {
  targets: Target[];
  /** The Dockerfile, in base64. */
  sources: string[];
}

interface Target {
  name?: string;
  default?: true;
  description?: string;
  /** As written. */
  base: string;
  platform?: string;
  location: OutlineLocation;
}

export function listTargets(dockerfile: Dockerfile): TargetList {
  const comments = commentsBefore(dockerfile);
  const targets = dockerfile.stages.map(({ index, name, from }): Target => {
    const description = descriptionOf(name ?? '', comments.get(from.lines.first));
    return {
      ...(name === undefined ? {} : { name }),
      ...(index === dockerfile.stages.length - 1 ? { default: true } : {}),
      ...(description === undefined ? {} : { description }),
      base: from.base,
      ...(from.platform === undefined ? {} : { platform: from.platform }),
      location: locationOf(from.lines),
    };
  });
  return { targets, sources: [Buffer.from(dockerfile.source.text).toString('base64')] };
}

export function targetsText({ targets }: TargetList): string {
  const lines = targets.map(({ name = '', default: isDefault, description = '' }) => {
    const shown = isDefault === true ? [name, '(default)'].filter(part => part !== '').join(' ') : name;
    return [shown, description];
  });
  return columns([['TARGET', 'DESCRIPTION'], ...lines], 1);
}
