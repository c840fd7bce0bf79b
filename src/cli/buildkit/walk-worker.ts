/** The thread that walks a part of a large context: a program of its own in the bundle. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DigestRequest, sha256, WalkDigest } from './walk-digest.ts';

const digest = new WalkDigest(workerData as DigestRequest);
digest.walk(Number.POSITIVE_INFINITY);
parentPort?.postMessage(sha256(digest.whole()));
