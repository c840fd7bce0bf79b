import type { Evidence, Identity, MountEvidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { linesLike, quoteLines } from './text.ts';

const denied = /permission denied|EACCES|operation not permitted|EPERM/i;
const readOnly = /read-only file ?system|EROFS/i;

/** Whether its user may write where it wants to. What the log does not complain of is only worth a note. */
export function diagnosePermissions(evidence: Evidence): Finding[] {
  const deniedLines = quoteLines(linesLike(evidence.lastLines, denied));
  const readOnlyLines = quoteLines(linesLike(evidence.lastLines, readOnly));
  const findings: Finding[] = [];
  const mentioned = (mount: MountEvidence, lines: string[]) =>
    lines.some(line => line.includes(mount.target));
  for (const mount of evidence.mounts) {
    if (mount.readWrite && evidence.identity !== undefined && !mayWrite(evidence.identity, mount)) {
      const problem = deniedLines.length > 0;
      findings.push(notWritable(evidence, mount, evidence.identity, problem ? deniedLines : []));
    }
    if (!mount.readWrite && mentioned(mount, readOnlyLines))
      findings.push(mountedReadOnly(evidence, mount, readOnlyLines));
  }
  const explained = findings.some(({ evidence: seen }) => readOnlyLines.some(line => seen.includes(line)));
  if (readOnlyLines.length > 0 && evidence.readonlyRoot && !explained)
    findings.push(rootReadOnly(evidence, readOnlyLines));
  return findings;
}

function mayWrite({ uid, gid, groups, overridesModes }: Identity, mount: MountEvidence): boolean {
  if (overridesModes && !mount.foreign) return true;
  const wanted = mount.directory ? 0o3 : 0o2;
  const shift = uid === mount.uid ? 6 : gid === mount.gid || groups.includes(mount.gid) ? 3 : 0;
  return ((mount.mode >> shift) & wanted) === wanted;
}

function notWritable(
  { name }: Evidence,
  mount: MountEvidence,
  { uid, gid, hostOwner }: Identity,
  said: string[],
): Finding {
  const { source, target, type } = mount;
  const owner = `${uid}:${gid}`;
  return {
    check: 'permissions',
    severity: said.length > 0 ? 'problem' : 'note',
    title: `Its user may not write to ${target}.`,
    evidence: [
      `it runs as ${owner}`,
      `${type === 'volume' ? `volume ${source}` : source} belongs to ${mount.uid}:${mount.gid}, mode ${mount.mode.toString(8).padStart(4, '0')}`,
      ...said,
    ],
    mend: [
      type === 'volume'
        ? `gantry run --rm -v ${source}:/mend busybox chown -R ${owner} /mend`
        : `chown -R ${hostOwner} ${source}`,
      `gantry restart ${name}`,
    ],
  };
}

function mountedReadOnly(
  { name }: Evidence,
  { source, target, type }: MountEvidence,
  said: string[],
): Finding {
  return {
    check: 'permissions',
    severity: 'problem',
    title: `${target} is mounted read-only, and it wants to write there.`,
    evidence: [
      `${type === 'volume' ? `volume ${source}` : source} is mounted at ${target}, read-only`,
      ...said,
    ],
    mend: [`gantry update -v ${source}:${target} ${name}`],
  };
}

function rootReadOnly({ name }: Evidence, said: string[]): Finding {
  return {
    check: 'permissions',
    severity: 'problem',
    title: 'Its own file system is read-only (--read-only), and it wants to write there.',
    evidence: said,
    mend: [
      `gantry update --mount type=tmpfs,target=PATH ${name}    # where it writes what may be lost`,
      `gantry update -v NAME:PATH ${name}    # where it writes what shall be kept`,
    ],
  };
}
