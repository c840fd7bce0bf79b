import { lstat, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, within } from '../stdx/errors.ts';
import { IgnoreRules, type IgnoreState } from './patterns/ignore.ts';

/**
 * Deletes from a context what its .dockerignore leaves out, before anything looks at the context. The client has
 * left the same files out of its tar already, except for Dockerfile and .dockerignore, which the daemon needs.
 * `<Dockerfile>.dockerignore` wins over `.dockerignore`, as in BuildKit.
 *
 * @param dockerfile undefined for a context that has none, as a named one
 * The context was unpacked in a confined worker; nothing here follows a symbolic link.
 */
export async function pruneContext(contextDirectory: string, dockerfile?: string): Promise<void> {
  const rules = await readIgnoreRules(contextDirectory, dockerfile);
  if (rules.isEmpty) return;
  await pruneDirectory(rules, contextDirectory, '', undefined);
}

async function readIgnoreRules(
  contextDirectory: string,
  dockerfile: string | undefined,
): Promise<IgnoreRules> {
  const { name, text } = await readIgnoreFile(contextDirectory, dockerfile);
  try {
    return IgnoreRules.parse(text);
  } catch (error) {
    throw within(`reading ${name}`, error);
  }
}

/** The .dockerignore that counts for a Dockerfile; its text is '' where there is none. */
export async function readIgnoreFile(
  contextDirectory: string,
  dockerfile: string | undefined,
): Promise<{ name: string; text: string }> {
  const own = dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`];
  for (const name of [...own, '.dockerignore']) {
    const text = await readRegularFile(join(contextDirectory, name));
    if (text !== undefined) return { name, text };
  }
  return { name: '.dockerignore', text: '' };
}

/** undefined when there is none, or something that is no file: a link may lead out of the context. */
async function readRegularFile(path: string): Promise<string | undefined> {
  try {
    const stat = await lstat(path);
    return stat.isFile() ? await readFile(path, 'utf8') : undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** @returns whether anything is left in the directory. */
async function pruneDirectory(
  rules: IgnoreRules,
  root: string,
  path: string,
  parent: IgnoreState | undefined,
): Promise<boolean> {
  let left = false;
  for (const entry of await readdir(join(root, path), { withFileTypes: true })) {
    const child = path === '' ? entry.name : `${path}/${entry.name}`;
    const { ignored, state } = rules.step(child, parent);
    if (!entry.isDirectory()) {
      if (ignored) await rm(join(root, child));
      else left = true;
    } else if (ignored && !rules.hasExceptions) {
      await rm(join(root, child), { recursive: true });
    } else {
      const childLeft = await pruneDirectory(rules, root, child, state);
      if (ignored && !childLeft) await rmdir(join(root, child));
      else left = true;
    }
  }
  return left;
}
