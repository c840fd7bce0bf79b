import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/** What version 0.1.0 wrote of a container: all else is left out. */
const recordFields: Record<string, string> = {
  '': `id name createdAtMs imageId platform config hostConfig endpoints mounts path args state restartCount
    manuallyStopped driver runtime`,
  state: 'status pid exitCode error oomKilled startedAtMs finishedAtMs health',
  config: `hostname domainname user attachStdin attachStdout attachStderr tty openStdin stdinOnce env cmd entrypoint
    image exposedPorts volumes workingDir labels healthcheck`,
  hostConfig: `memoryBytes memorySwapBytes memoryReservationBytes oomKillDisable cpuShares nanoCpus cpuPeriodUs
    cpuQuotaUs cpuRealtimePeriodUs cpuRealtimeRuntimeUs cpusetCpus cpusetMems blkioWeight blkioWeightDevices
    deviceReadBps deviceWriteBps deviceReadIops deviceWriteIops devices deviceCgroupRules ulimits cgroupParent binds
    mounts tmpfs volumesFrom networkMode portBindings publishAllPorts restartPolicy autoRemove volumeDriver capAdd
    capDrop cgroupnsMode dns dnsOptions dnsSearch extraHosts groupAdd ipcMode pidMode utsMode usernsMode links
    oomScoreAdj privileged readonlyRootfs securityOpt shmSizeBytes sysctls runtime logConfig maskedPaths readonlyPaths
    containerIdFile annotations`,
};

/** Makes a state database as version 0.1.0 had it, with what the present one says of the same things. */
export function downgrade(path: string): void {
  const old = new DatabaseSync(`${path}.old`, { enableForeignKeyConstraints: false });
  old.exec(readFileSync(join(import.meta.dirname, 'state-0.1.0.sql'), 'utf8'));
  const present = new DatabaseSync(path);
  const tables = old.prepare("select name from sqlite_schema where type = 'table'").all();
  for (const table of tables.map(({ name }) => String(name))) {
    if (table !== 'migrations' && !table.startsWith('sqlite_')) copy(present, old, table);
  }
  old.exec('pragma journal_mode = wal');
  present.close();
  old.close();
  for (const suffix of ['-wal', '-shm']) if (existsSync(path + suffix)) rmSync(path + suffix);
  renameSync(`${path}.old`, path);
}

function copy(from: DatabaseSync, into: DatabaseSync, table: string): void {
  const columns = into.prepare(`pragma table_info("${table}")`).all();
  const names = columns.map(({ name }) => String(name));
  const insert = into.prepare(
    `insert into "${table}" (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
  );
  for (const row of from.prepare(`select ${names.join(', ')} from "${table}"`).all()) {
    if (table === 'containers') row['record'] = oldRecord(String(row['record']));
    insert.run(...(Object.values(row) as SQLInputValue[]));
  }
}

function oldRecord(text: string): string {
  const record = pick(JSON.parse(text), '');
  for (const part of ['state', 'config', 'hostConfig']) {
    record[part] = pick(record[part] as Record<string, unknown>, part);
  }
  return JSON.stringify(record);
}

function pick(object: Record<string, unknown>, part: string): Record<string, unknown> {
  const fields = new Set(recordFields[part]!.split(/\s+/));
  return Object.fromEntries(Object.entries(object).filter(([name]) => fields.has(name)));
}
