import findMyWay from 'find-my-way';
import type { Handler, Route } from './call.ts';

export interface Found {
  handler: Handler;
  params: Record<string, string>;
}

/** find-my-way matches `*` only at the end of a path; what stands behind `{name...}` is matched here. */
interface Ending {
  name: string;
  suffix: string;
  handler: Handler;
}

/** No name in a path is longer: names of images, containers and volumes are below 256 bytes, ids of plugins too. */
const longestParameter = 1024;

/** Finds the handler for a method and a path without its version. */
export class Router {
  readonly #routes = findMyWay({ maxParamLength: longestParameter });
  readonly #endings = new Map<string, Ending[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  find(method: string, path: string): Found | undefined {
    const found = this.#routes.find(method as findMyWay.HTTPMethod, path);
    if (found === null) return undefined;
    const params = found.params as Record<string, string>;
    const endings = this.#endings.get(found.store as string);
    if (endings === undefined) return { handler: found.store as Handler, params };
    const rest = params['*'] ?? '';
    for (const { name, suffix, handler } of endings) {
      if (!rest.endsWith(suffix) || rest.length === suffix.length) continue;
      return { handler, params: { [name]: rest.slice(0, rest.length - suffix.length) } };
    }
    return undefined;
  }

  #add({ method, path, handler }: Route): void {
    const open = /^(.*)\{(\w+)\.\.\.\}(.*)$/.exec(path);
    if (open === null) {
      this.#routes.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), noop, handler);
      return;
    }
    const [, prefix = '', name = '', suffix = ''] = open;
    const key = `${method} ${prefix}`;
    const endings = this.#endings.get(key);
    if (endings === undefined) {
      this.#endings.set(key, [{ name, suffix, handler }]);
      this.#routes.on(method, `${prefix}*`, noop, key);
    } else {
      // Longest suffix first, so that `{name...}` alone takes what is left.
      endings.push({ name, suffix, handler });
      endings.sort((a, b) => b.suffix.length - a.suffix.length);
    }
  }
}

/** Handlers are called by us, not by find-my-way, which insists on one. */
function noop(): void {}
