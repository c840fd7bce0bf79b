import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/image.ts';
import type { AttestedRequest } from './attest/attest.ts';
import type { BuildLimits } from './executor.ts';
import type { BuildExport } from './export/export.ts';
import type { TreeMemory } from './source-tree.ts';
import type { CachePlace } from './transfer/place.ts';

/** What to build. The server makes one of `POST /build`; later BuildKit's Solve makes the same. */
export interface BuildRequest {
  /**
   * The unpacked build context: a private copy, as the builder deletes from it what .dockerignore excludes. The
   * caller removes the directory after the build.
   */
  contextDirectory?: string;
  /** Brings the context over once the Dockerfile is known to be sound and a step needs it; instead of the directory. */
  bringContext?: () => Promise<BroughtContext>;
  /** A git repository that is the context, `https://host/repository.git#ref:subdirectory`; instead of the directory. */
  contextUrl?: string;
  /** Path of the Dockerfile in the context; '' means `Dockerfile`. */
  dockerfile: string;
  /** The Dockerfile itself, when it does not come with the context; `dockerfile` is then its name in messages. */
  dockerfileText?: string;
  /** The text of .dockerignore, when the context came without what it leaves out. */
  ignoreText?: string;
  /** The commit that the repository's URL led to. */
  contextCommit?: string;
  /** When the context, which is just a commit's files, was committed: the time of the result, unless another is given. */
  commitTimeMs?: number;
  /** `--build-context`: what FROM, COPY --from and RUN --mount=from= find under a name, before stages and images. */
  contexts: Record<string, NamedContext>;
  /** References to give the result, in any form `docker tag` takes; not looked at when there are `exports`. */
  tags: string[];
  /** Where the result goes; the image store when it is undefined. */
  exports?: BuildExport[];
  /** null: take nothing; Docker's client sends null for `--build-arg NAME` with no such variable in its environment. */
  buildArgs: Record<string, string | null>;
  /**
   * Where dockerd's two builders differ, BuildKit is right: HTTP_PROXY is also http_proxy to a RUN, and the other way
   * around; `COPY ../a` takes what `COPY a` takes; `COPY a b /x` has sources go to /x one after the other.
   */
  asBuildKit?: boolean;
  labels: Record<string, string>;
  /** Name or index of the stage wanted; '' means the last. */
  target: string;
  noCache: boolean;
  /** Stages, by name or index, whose steps are not taken from the cache. */
  noCacheStages: string[];
  /** Look for newer versions of base images, though they are here. */
  pull: boolean;
  /** FROM and --from know images by their names, and by whole ids, but not by the beginning of an id. */
  namesOnly?: boolean;
  /** Where results may come from that are not in the cache here; the first that has one is taken. */
  cacheFrom: CacheEndpoint[];
  /** Where the results of this build are written after it. */
  cacheTo: CacheEndpoint[];
  /** Refused when true: not supported. */
  squash: boolean;
  /** `default`, `none`, `host` or a network's name; '' is `default`. */
  networkMode: string;
  /** `name:address` */
  extraHosts: string[];
  /** `os[/arch[/variant]]`, several with commas; '' means the machine's own. */
  platform: string;
  /** The result is an index though there is one platform; two always make one. */
  multiPlatform?: boolean;
  limits: BuildLimits;
  /** Chosen by the caller, who enters by it the first RUN that fails: the build waits for that (held-steps.ts). */
  holdFailed?: string;
  /** What is to be said of the result, beside it. */
  attestations?: AttestedRequest;
  /** What RUN may do beyond the ordinary: `security.insecure`, `network.host`. */
  entitlements: string[];
  /** The content of a secret for RUN --mount=type=secret; undefined: the client has none of that id. */
  secrets?: (id: string) => Promise<Buffer | undefined>;
  /** The agent for RUN --mount=type=ssh, which stays while the build runs; undefined: none of that id. */
  ssh?: (id: string) => Promise<SshAgent | undefined>;
  /** By registry, as in the header X-Registry-Config; handed on to the pull of base images. */
  credentials: Record<string, BuildCredentials>;
  /** As `credentials`, when the client is asked once they are needed. @param registry `docker.io`, `host:5000` */
  askCredentials?: (registry: string) => Promise<BuildCredentials | undefined>;
}

/**
 * A build cache outside of the daemon.
 *
 * - `registry`: `ref` names a repository and tag; `mode=max` exports all steps, `min` (the default) those of the
 *   result. Importing also takes an image that was built with an inline cache.
 * - `local`: an OCI layout in a directory of the daemon's host, `src` or `dest`, under the name `tag` (`latest`).
 * - `inline` (to export): the image itself says what its layers were made of.
 *
 * `mounts=true` also exports or imports what is in the cache mounts.
 */
export interface CacheEndpoint {
  type: 'registry' | 'local' | 'inline';
  attributes: Record<string, string>;
  /** Instead of what `attributes` name: a directory of the client, for one. */
  place?: CachePlace;
}

export interface BroughtContext {
  directory: string;
  /** Of the directory as it is now, and for builds to come: nobody deletes from such a context. */
  memory?: TreeMemory;
}

export type NamedContext =
  /** An unpacked private copy, as `contextDirectory`. */
  | { type: 'directory'; directory: string; memory?: TreeMemory }
  | {
      type: 'image';
      reference: string;
      /** Brings the image here, where no registry has it. @returns its id; the caller holds it for the build's time */
      bring?: (platform: Platform, signal: AbortSignal) => Promise<Digest>;
    }
  /** `https://host/repository.git#ref:subdirectory` */
  | { type: 'git'; url: string };

export interface SshAgent {
  /** A unix socket on the host that leads to the client's agent. */
  socketPath: string;
}

export interface BuildCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
}
