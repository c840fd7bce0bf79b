import type { BuildLimits } from './executor.ts';

/** What to build. The server makes one of `POST /build`; later BuildKit's Solve makes the same. */
export interface BuildRequest {
  /**
   * The unpacked build context: a private copy, as the builder deletes from it what .dockerignore excludes. The
   * caller removes the directory after the build.
   */
  contextDirectory: string;
  /** Path of the Dockerfile in the context; '' means `Dockerfile`. */
  dockerfile: string;
  /** References to give the result, in any form `docker tag` takes. */
  tags: string[];
  /** null: take nothing; Docker's client sends null for `--build-arg NAME` with no such variable in its environment. */
  buildArgs: Record<string, string | null>;
  labels: Record<string, string>;
  /** Name or index of the stage wanted; '' means the last. */
  target: string;
  noCache: boolean;
  /** Look for newer versions of base images, though they are here. */
  pull: boolean;
  /** Refused when not empty: not supported. */
  cacheFrom: string[];
  /** Refused when true: not supported. */
  squash: boolean;
  /** `default`, `none`, `host` or a network's name; '' is `default`. */
  networkMode: string;
  /** `name:address` */
  extraHosts: string[];
  /** `os[/arch[/variant]]`; '' means the machine's own. */
  platform: string;
  limits: BuildLimits;
  /** By registry, as in the header X-Registry-Config; handed on to the pull of base images. */
  credentials: Record<string, BuildCredentials>;
}

export interface BuildCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
}
