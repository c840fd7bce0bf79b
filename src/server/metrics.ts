import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Engine } from '../engine/engine.ts';
import type { EngineCounters, SystemInfo } from '../engine/system.ts';
import { messageOf } from '../stdx/errors.ts';
import { gantryVersion } from './versions.ts';

/** `GET /metrics` for Prometheus, on a socket of its own (--metrics-addr), which shows figures and nothing else. */
export function createMetricsServer(engine: Engine): Server {
  return createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/metrics') return end(response, 404, '404 page not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405, '');
    engine.system.info().then(
      info => end(response, 200, metricsText(info, engine.system.counters(), readProcess(info))),
      error => end(response, 500, `${messageOf(error)}\n`),
    );
  });
}

/** Of the daemon itself. */
export interface ProcessFigures {
  cpuSeconds: number;
  residentBytes: number;
  openFiles: number;
  startedAtS: number;
}

/** Prometheus' text format 0.0.4. Names are dockerd's, so that dashboards made for it fit. */
export function metricsText(info: SystemInfo, counters: EngineCounters, own: ProcessFigures): string {
  const { paused, running, stopped } = info.containers;
  return [
    family(
      'engine_daemon_container_states_containers',
      'gauge',
      'The count of containers in various states',
      [
        sample({ state: 'paused' }, paused),
        sample({ state: 'running' }, running),
        sample({ state: 'stopped' }, stopped),
      ],
    ),
    family(
      'engine_daemon_engine_cpus_cpus',
      'gauge',
      'The number of cpus that the host system of the engine has',
      [sample({}, info.cpus)],
    ),
    family(
      'engine_daemon_engine_memory_bytes',
      'gauge',
      'The bytes of memory of the host system of the engine',
      [sample({}, info.memoryBytes)],
    ),
    family('engine_daemon_engine_info', 'gauge', 'Version, kernel and system of the engine', [
      sample(
        {
          architecture: info.architecture,
          commit: '',
          daemon_id: info.id,
          graphdriver: info.storageDriver,
          kernel: info.kernelVersion,
          os: info.operatingSystem,
          os_type: 'linux',
          os_version: info.osVersion,
          version: gantryVersion,
        },
        1,
      ),
    ]),
    family('engine_daemon_events_total', 'counter', 'Events since the daemon was started', [
      sample({}, counters.events),
    ]),
    family('engine_daemon_events_subscribers_total', 'gauge', 'Clients that follow the events', [
      sample({}, info.eventListeners),
    ]),
    family('engine_daemon_health_checks_total', 'counter', 'Health checks since the daemon was started', [
      sample({}, counters.healthChecks),
    ]),
    family('engine_daemon_health_checks_failed_total', 'counter', 'Health checks that failed', [
      sample({}, counters.healthChecksFailed),
    ]),
    family('process_cpu_seconds_total', 'counter', 'User and system CPU time of the daemon', [
      sample({}, own.cpuSeconds),
    ]),
    family('process_open_fds', 'gauge', 'Open file descriptors of the daemon', [sample({}, own.openFiles)]),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory of the daemon', [
      sample({}, own.residentBytes),
    ]),
    family('process_start_time_seconds', 'gauge', 'When the daemon was started, since the epoch', [
      sample({}, own.startedAtS),
    ]),
  ].join('');
}

function readProcess(info: SystemInfo): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    openFiles: info.openFiles,
    startedAtS: info.startedAtMs / 1000,
  };
}

type Sample = (name: string) => string;

function family(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map(one => one(name)).join('')}`;
}

function sample(labels: Readonly<Record<string, string>>, value: number): Sample {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${quoted(text)}"`);
  return name => `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function end(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
  response.end(text);
}
