/** `container:path` or a path here. `./a:b` and `/a:b` are paths: a container's name has no slash and no dot first. */
export function splitCopyArgument(text: string): { container?: string; path: string } {
  if (text.startsWith('/') || text.startsWith('.')) return { path: text };
  const colon = text.indexOf(':');
  if (colon === -1) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** The last part, as tar entries are named by; `/` and `.` have none. */
export function baseName(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

/** `dir/.`: what is in the directory, not the directory. */
export function meansContent(path: string): boolean {
  return /(^|\/)\.$/.test(path);
}

export interface Place {
  exists: boolean;
  isDirectory: boolean;
}

/**
 * Where a copy goes and what its top is called there; the rules of cp(1) as docker has them.
 * @returns the directory to unpack in, and the top's name in it; undefined: the source's content goes in directly
 */
export function planCopy(
  source: { path: string; isDirectory: boolean },
  target: { path: string } & Place,
): { directory: string; top: string | undefined } | { fault: string } {
  if (target.exists && target.isDirectory) {
    if (source.isDirectory && meansContent(source.path)) return { directory: target.path, top: undefined };
    return { directory: target.path, top: baseName(source.path) };
  }
  if (target.exists && source.isDirectory) return { fault: 'cannot copy directory' };
  if (!source.isDirectory && /\/$|(^|\/)\.$/.test(target.path)) {
    return { fault: target.exists ? 'not a directory' : 'no such directory' };
  }
  const path = target.path.replace(/\/+$/, '');
  return { directory: parentOf(path), top: baseName(path) };
}

/** Of a path without a slash at its end. */
function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '.' : path.slice(0, slash) || '/';
}

/** An entry's name with another top: `etc/passwd` -> `copy/passwd`. */
export function renameTop(name: string, top: string | undefined): string {
  const rest = name
    .replace(/^\.?\/+/, '')
    .replace(/^[^/]+/, '')
    .replace(/^\/+/, '');
  if (top === undefined) return rest;
  return rest === '' ? top : `${top}/${rest}`;
}
