import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';

/** A place in a git repository: `https://host/repository.git#ref:subdirectory?...` */
export interface GitSource {
  /** What git is given; it may hold a name and a password. */
  remote: string;
  /** Branch, tag, `refs/...` or the 40 or 64 digits of a commit; '' is the repository's own branch. */
  ref: string;
  /** Relative, without `..`; '' is all of it. */
  subdirectory: string;
  /** First digits of the commit it must be. */
  checksum?: string;
  keepGitDir?: boolean;
  submodules: boolean;
}

const withProtocol = /^([a-z0-9]+):\/\/([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;
const scpStyle =
  /^([A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^-?#][^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

/**
 * Reads what Docker takes for a git repository: `git://` and `ssh://` URLs, `http(s)://` ones whose path ends in
 * `.git`, and `user@host:path`.
 * @returns undefined for everything else
 * @throws EngineError `invalid` for a repository with a bad ref or query
 */
export function parseGitSource(text: string): GitSource | undefined {
  const url = withProtocol.exec(text);
  if (url !== null) {
    const [, written = '', path = '', query, fragment] = url;
    const protocol = written.toLowerCase();
    const isGit =
      ['git', 'ssh'].includes(protocol) ||
      (/^https?$/.test(protocol) && posix.normalize(path).endsWith('.git'));
    return isGit ? readSource(`${protocol}://${checkHost(path)}`, query, fragment) : undefined;
  }
  const scp = scpStyle.exec(text);
  return scp === null ? undefined : readSource(scp[1]!, scp[2], scp[3]);
}

/** Also `github.com/owner/repository`, which only a build context may be. */
export function parseGitContext(text: string): GitSource | undefined {
  return parseGitSource(text.startsWith('github.com/') ? `https://${withGitSuffix(text)}` : text);
}

function withGitSuffix(text: string): string {
  const [, path = '', rest = ''] = /^([^?#]*)(.*)$/s.exec(text)!;
  return `${path.endsWith('.git') ? path : `${path.replace(/\/+$/, '')}.git`}${rest}`;
}

/** As it may be shown: without a password. */
export function shownRemote({ remote }: Pick<GitSource, 'remote'>): string {
  return remote.replace(/^([a-z0-9]+:\/\/[^/@:]*):[^/@]*@/i, '$1:xxxxx@');
}

/** git hands a host that looks like an option to ssh (CVE-2017-1000117). */
function checkHost(path: string): string {
  const authority = path.split('/')[0]!;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host === '' || host.startsWith('-') || authority.startsWith('-'))
    throw new EngineError('invalid', `invalid host in the URL of a git repository: ${JSON.stringify(host)}`);
  return path;
}

function readSource(remote: string, query = '', fragment = ''): GitSource {
  if (/[\0-\x20]/.test(remote)) throw new EngineError('invalid', 'invalid URL of a git repository');
  const colon = fragment.indexOf(':');
  const source: GitSource = {
    remote,
    ref: decode(colon < 0 ? fragment : fragment.slice(0, colon)),
    subdirectory: colon < 0 ? '' : inside(decode(fragment.slice(colon + 1))),
    submodules: true,
  };
  for (const [name, value] of readQuery(query)) applyOption(source, name, value);
  checkRef(source.ref);
  return source;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign is part of the name.
    return text;
  }
}

function inside(subdirectory: string): string {
  return posix.join('/', subdirectory).slice(1).replace(/\/$/, '');
}

function readQuery(query: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (options.has(name)) throw new EngineError('invalid', `query "${name}" has multiple values`);
    options.set(name, value);
  }
  return options;
}

function applyOption(source: GitSource, name: string, value: string): void {
  const flags = ['submodules', 'keep-git-dir'];
  if (value === '' && !flags.includes(name)) throw new EngineError('invalid', `query "${name}" has no value`);
  const choose = (ref: string): void => {
    if (source.ref !== '' && source.ref !== ref)
      throw new EngineError('invalid', `ref conflicts: "${source.ref}" vs "${ref}"`);
    source.ref = ref;
  };
  switch (name) {
    case 'ref':
      choose(value);
      break;
    case 'branch':
      choose(value.startsWith('refs/heads/') ? value : `refs/heads/${value}`);
      break;
    case 'tag':
      choose(value.startsWith('refs/tags/') ? value : `refs/tags/${value}`);
      break;
    case 'subdir':
      if (source.subdirectory !== '' && source.subdirectory !== inside(value))
        throw new EngineError('invalid', `subdir conflicts: "${source.subdirectory}" vs "${value}"`);
      source.subdirectory = inside(value);
      break;
    case 'checksum':
    case 'commit':
      source.checksum = value;
      break;
    case 'keep-git-dir':
      source.keepGitDir = flag(name, value);
      break;
    case 'submodules':
      source.submodules = flag(name, value);
      break;
    default:
      throw new EngineError('invalid', `unexpected query "${name}"`);
  }
}

function flag(name: string, value: string): boolean {
  if (['', '1', 't', 'true'].includes(value.toLowerCase())) return true;
  if (['0', 'f', 'false'].includes(value.toLowerCase())) return false;
  throw new EngineError('invalid', `invalid ${name} value: "${value}"`);
}

/** By the rules of git-check-ref-format(1): what begins with a dash would be an option, `a:b` two refs. */
function checkRef(ref: string): void {
  const bad = /^-|[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|^\.|\/\./;
  if (ref !== '' && bad.test(ref)) throw new EngineError('invalid', `invalid git ref ${JSON.stringify(ref)}`);
}
