import { readFileSync } from 'node:fs';
import { LogSinks } from '../../src/runtime/logs/log-sinks.ts';
import type { FollowRequest } from '../../src/runtime/logs/worker/messages.ts';
import { silentLog } from '../../src/stdx/log.ts';

/** Follows a log until it is killed: what a daemon does for its log drivers. Its argument is the request's file. */
const request = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as FollowRequest;
new LogSinks(silentLog).follow(request);
process.stdout.write('following\n');
setInterval(() => {}, 1 << 30);
