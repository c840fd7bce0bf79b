import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { ClassicOutput } from '../build/classic-output.ts';
import type { Engine } from '../engine/engine.ts';
import { openEngine } from '../engine/open.ts';
import { BuildContexts } from '../server/build-contexts.ts';
import { ApiServer } from '../server/http.ts';
import { type Host, hostText, listen } from '../server/listen.ts';
import { createMetricsServer } from '../server/metrics.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import type { DaemonConfig } from './daemon-config.ts';
import { hostAccounts, resolveRemap } from './userns-remap.ts';

/** The parts of a running daemon, and how it ends. */
export interface Daemon {
  log: Log;
  /**
   * Takes what may change while it runs: debug and log level, labels, mirrors, insecure registries, limits.
   * @throws EngineError `invalid`; then nothing has changed
   */
  reload(config: DaemonConfig): Promise<void>;
  /** Lets requests at work end for the time of --shutdown-timeout, then stops answering; containers run on. */
  stop(): Promise<void>;
  /** As stop, but first kills all containers and takes the networks out of the kernel. */
  dismantle(): Promise<void>;
}

/**
 * Brings a daemon up: pid file, engine (which reconciles), sockets last, so that whoever gets through finds
 * everything settled.
 */
export async function startDaemon(config: DaemonConfig): Promise<Daemon> {
  const log = createLog(config);
  for (const warning of config.warnings) log.warn({}, warning);
  takePidFile(config.pidFile);
  const settings = { ...config.settings, initPath: config.settings.initPath ?? findInit() };
  const engine = await openEngine({
    dataRoot: config.dataRoot,
    storageDriver: config.storageDriver,
    execRoot: config.execRoot,
    log,
    settings,
    network: config.network,
    runtime: config.defaultRuntime,
    runtimes: config.runtimes,
    remap: resolveRemap(config.usernsRemap, hostAccounts),
  });
  const contexts = await BuildContexts.open(engine.storage);
  const api = new ApiServer({ engine, log, contexts, classicOutput: emit => new ClassicOutput(emit) });
  const servers: Server[] = [];
  for (const host of config.hosts) servers.push(await serve(api, host, config, log));
  if (config.metricsHost !== undefined) servers.push(await serveMetrics(engine, config.metricsHost, log));
  log.info({ pid: process.pid, dataRoot: config.dataRoot }, 'Daemon has completed initialization');
  // Work in flight may end; then builds end with their callers, and are given a moment to take down their mounts.
  const disconnect = async (patienceMs: number) => {
    for (const server of servers) server.close();
    await Promise.race([api.idle(), sleep(patienceMs, undefined, { ref: false })]);
    for (const server of servers) server.closeAllConnections();
    api.endBuilds();
    await Promise.race([engine.builder.settled(), sleep(buildsEndWithinMs, undefined, { ref: false })]);
  };
  const close = async () => {
    await engine.close();
    rmSync(config.pidFile, { force: true });
  };
  return {
    async reload(fresh) {
      const { defaultRuntime, runtimes } = fresh;
      const changed = await engine.system.reload(fresh.settings, { defaultRuntime, runtimes });
      log.level = fresh.logLevel;
      log.info({ changed }, 'Reloaded configuration');
    },
    log,
    async stop() {
      await disconnect(settings.shutdownTimeoutMs);
      await close();
      log.info({}, 'Daemon has stopped; containers run on');
    },
    async dismantle() {
      await disconnect(0);
      for (const { id, state } of engine.containers.list()) {
        if (state.pid !== 0) await engine.containers.kill(id, 'SIGKILL');
      }
      engine.networkController.dismantle();
      await close();
      log.info({}, 'Daemon has stopped, and nothing of it runs on');
    },
  };
}

const buildsEndWithinMs = 5_000;

async function serve(api: ApiServer, host: Host, config: DaemonConfig, log: Log): Promise<Server> {
  const server = await api.createServer(host.kind === 'tcp' ? config.tls : undefined);
  await listen(server, host, { group: config.group });
  log.info({}, `API listen on ${hostText(host)}`);
  return server;
}

async function serveMetrics(engine: Engine, host: Host, log: Log): Promise<Server> {
  const server = createMetricsServer(engine);
  await listen(server, host);
  log.info({}, `metrics listen on ${hostText(host)}`);
  return server;
}

function createLog(config: DaemonConfig): Logger {
  return pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
}

/**
 * One daemon per pid file. A file whose process is gone, or is some other program by now, is taken over.
 * @throws EngineError `conflict`
 */
function takePidFile(path: string): void {
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8').trim()) : 0;
  if (pid > 0 && pid !== process.pid && isDaemon(pid)) {
    throw new EngineError(
      'conflict',
      `pid file found, ensure that gantryd is not running or delete ${path}: process with PID ${pid} is still running`,
    );
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(process.pid));
}

function isDaemon(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('gantryd');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** A static init for `--init`: tini's static build, or the one that comes with Docker. */
function findInit(): string | undefined {
  return ['/usr/bin/tini-static', '/usr/bin/docker-init', '/usr/libexec/docker/docker-init'].find(path =>
    existsSync(path),
  );
}
