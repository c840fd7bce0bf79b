import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { daemonKind, Machine } from './machine.ts';
import { type SystemCall, systemCallsIn } from './system-calls.ts';

const EPERM = 1;
const ENOSYS = 38;
const CLONE_NEWUSER = 0x10000000;
const SIGCHLD = 17;

/** Calls that the default profile denies (`newer`: not yet in Debian's dockerd), and what lets them through to the kernel, which then has other complaints. */
const unconfined = '--security-opt seccomp=unconfined';
const denied = (
  [
    { name: 'keyctl', args: [99, 0, 0, 0, 0], allowedBy: unconfined },
    { name: 'add_key', args: [0, 0, 0, 0, 0], allowedBy: unconfined },
    { name: 'request_key', args: [0, 0, 0, 0], allowedBy: unconfined },
    { name: 'userfaultfd', args: [-1], allowedBy: `${unconfined} --cap-add SYS_PTRACE` },
    { name: 'io_uring_setup', args: [0, 0], allowedBy: unconfined, newer: true },
    { name: 'move_pages', args: [0, 0, 0, 0, 0, -1], allowedBy: unconfined },
    { name: 'unshare', args: [CLONE_NEWUSER], allowedBy: unconfined },
    { name: 'clone', args: [CLONE_NEWUSER + SIGCHLD, 0, 0, 0, 0], allowedBy: unconfined },
    { name: 'socket', args: [40, 1, 0], allowedBy: unconfined, newer: true },
    { name: 'socket', args: [38, 5, 0], allowedBy: unconfined, newer: true },
    { name: 'personality', args: [0x0400000], allowedBy: unconfined },
    { name: 'mount', args: ['none', '/nowhere', 'tmpfs', 0, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'setns', args: [-1, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'fsopen', args: ['nosuch', 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'open_tree', args: [-1, 'x', 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'mount_setattr', args: [-1, 'x', 0, 0, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'bpf', args: [99, 0, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'perf_event_open', args: [0, 0, 0, 0, 0], allowedBy: '--cap-add PERFMON', newer: true },
    { name: 'quotactl', args: [99, 0, 0, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'fanotify_init', args: [-1, 0], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'sethostname', args: [0, -1], allowedBy: '--cap-add SYS_ADMIN' },
    { name: 'syslog', args: [99, 0, 0], allowedBy: '--cap-add SYSLOG' },
    { name: 'open_by_handle_at', args: [-1, 0, 0], allowedBy: '--cap-add DAC_READ_SEARCH' },
    { name: 'acct', args: ['/nowhere'], allowedBy: '--cap-add SYS_PACCT' },
    { name: 'init_module', args: [0, 0, 0], allowedBy: '--cap-add SYS_MODULE' },
    { name: 'kcmp', args: [0, 0, 99, 0, 0], allowedBy: '--cap-add SYS_PTRACE' },
    { name: 'pidfd_getfd', args: [-1, 0, 0], allowedBy: '--cap-add SYS_PTRACE' },
    { name: 'get_mempolicy', args: [0, 0, 0, 0, 99], allowedBy: '--cap-add SYS_NICE' },
    { name: 'mbind', args: [1, 0, 0, 0, 0, 0], allowedBy: '--cap-add SYS_NICE' },
    { name: 'swapon', args: ['/nowhere', 0], allowedBy: `${unconfined} --cap-add SYS_ADMIN` },
    { name: 'pivot_root', args: ['/nowhere', '/nowhere'], allowedBy: `${unconfined} --cap-add SYS_ADMIN` },
    { name: 'kexec_load', args: [0, 99, 0, 0], allowedBy: `${unconfined} --cap-add SYS_BOOT` },
  ] satisfies (SystemCall & { allowedBy: string; newer?: true })[]
).filter(call => daemonKind === 'gantryd' || !('newer' in call));

/** docs/security.md names these tests as the proof of each line of its table. */
describe(`what a container may not do by default, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.start('defaults');
  });
  after(() => machine?.stop());

  const run = (flags: string, script: string) =>
    machine.must(`docker run --rm ${flags} busybox sh -c '${script}'`);

  test('capabilities: fourteen are bounding, permitted and effective, and none is inheritable or ambient', async () => {
    const status = 'grep ^Cap /proc/self/status | tr -d "\\t\\n"';
    const fourteen = '00000000a80425fb';
    const none = '0000000000000000';
    const of = (inh: string, prm: string, eff: string, bnd: string, amb: string) =>
      `CapInh:${inh}CapPrm:${prm}CapEff:${eff}CapBnd:${bnd}CapAmb:${amb}`;
    assert.equal(await run('', status), of(none, fourteen, fourteen, fourteen, none));
    assert.equal(await run('-u 1000', status), of(none, none, none, fourteen, none));
    assert.equal(await run('--cap-drop ALL', status), of(none, none, none, none, none));
  });

  test('seccomp: a filter is on, and new privileges are allowed unless refused', async () => {
    const status = (flags: string) =>
      run(flags, 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | cut -f2');
    assert.equal(await status(''), '0\n2');
    assert.equal(await status(`-u 1000 --security-opt no-new-privileges`), '1\n2');
    assert.equal(await status(`${unconfined} --security-opt no-new-privileges:true`), '1\n0');
    assert.equal(await status('--security-opt no-new-privileges=false'), '0\n2');
  });

  test('seccomp: each of these calls is denied by the profile, and by nothing else', async () => {
    const named = (errnos: number[]) =>
      denied.map(({ name, args }, index) => `${name}(${args}) ${errnos[index]}`);
    const errnos = await systemCallsIn(machine, '', denied);
    assert.deepEqual(named(errnos), named(denied.map(() => EPERM)));
    for (const flags of new Set(denied.map(({ allowedBy }) => allowedBy))) {
      const calls = denied.filter(({ allowedBy }) => allowedBy === flags);
      const allowed = await systemCallsIn(machine, flags, calls);
      calls.forEach(({ name }, index) => {
        assert.notEqual(allowed[index], EPERM, `${name} is denied with ${flags} as well`);
      });
    }
  });

  test('seccomp: clone3, whose flags no filter can see, is not there', async () => {
    const call = [{ name: 'clone3', args: [0, 0] }];
    assert.deepEqual(await systemCallsIn(machine, '', call), [ENOSYS]);
    assert.notDeepEqual(await systemCallsIn(machine, '--cap-add SYS_ADMIN', call), [ENOSYS]);
  });

  test('paths of /proc and /sys are masked or read-only, unless systempaths=unconfined', async () => {
    const masked =
      'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v : | grep -c .';
    assert.equal(await run('', `${masked}; true`), '0\n0');
    const write =
      'for p in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do (: >> $p) 2>/dev/null && echo $p; done; true';
    assert.equal(await run('', write), '');
    assert.match(
      await run('--security-opt systempaths=unconfined', write),
      /^\/proc\/sys\/kernel\/domainname$/m,
    );
    assert.match(await run('--security-opt systempaths=unconfined', 'wc -l < /proc/timer_list'), /^[1-9]/);
    const hierarchies = 'find /sys/fs/cgroup -name cgroup.procs | sed "s/.cgroup.procs//" | sort';
    const made = `for h in /sys $(${hierarchies}); do mkdir $h/made 2>/dev/null && echo $h; done; true`;
    assert.match(await run('', hierarchies), /^\/sys\/fs\/cgroup/);
    assert.equal(await run('', made), '');
  });

  test('devices: only the harmless ones are there, and no other can be opened', async () => {
    assert.equal(
      await run('', 'cd /dev; for d in *; do [ ! -L $d ] && [ -c $d -o -b $d ] && echo $d; done; true'),
      'full\nnull\nrandom\ntty\nurandom\nzero',
    );
    // MKNOD is among the capabilities; the device cgroup is what denies.
    const open = 'mknod /kmsg c 1 11 && cat /kmsg >/dev/null';
    const { code, stderr } = await machine.shell(`docker run --rm busybox sh -c '${open}'`);
    assert.equal(code, 1);
    assert.match(stderr, /kmsg.*Operation not permitted/);
    await run(
      "--device-cgroup-rule 'c 1:5 r'".replaceAll("'", '"'),
      'mknod /z c 1 5 && head -c 1 /z >/dev/null',
    );
    const reads =
      'head -c 1 /z >/dev/null 2>&1 && echo read; (echo x > /z) 2>/dev/null && echo written; true';
    assert.equal(await run('--device /dev/zero:/z:r --cap-drop MKNOD', reads), 'read\nwritten');
    const full = '(echo x > /f) 2>&1 | grep -o "not permitted"; true';
    assert.equal(await run('--device /dev/kmsg:/f:r', full), 'not permitted');
  });

  test('sysctls: those of its own namespaces, and no others', async () => {
    assert.equal(await run('--sysctl net.core.somaxconn=99', 'cat /proc/sys/net/core/somaxconn'), '99');
    assert.equal(await run('--sysctl kernel.msgmax=9000', 'cat /proc/sys/kernel/msgmax'), '9000');
    // The client refuses most of these by itself, so the API is asked.
    for (const [sysctl, hostConfig] of [
      ['vm.swappiness', {}],
      ['kernel.panic', {}],
      ['net.core.somaxconn', { NetworkMode: 'host' }],
      ['kernel.msgmax', { IpcMode: 'host' }],
    ] as const) {
      const body = {
        Image: 'busybox',
        Cmd: ['true'],
        HostConfig: { Sysctls: { [sysctl]: '9000' }, ...hostConfig },
      };
      const api = `curl -s --unix-socket ${machine.daemon.socket} -H 'Content-Type: application/json' -X POST http://d/containers`;
      const created = await machine.must(`${api}/create -d '${JSON.stringify(body)}'`);
      const answer = await machine.must(`${api}/${JSON.parse(created).Id}/start`);
      assert.match(answer, new RegExp(`sysctl .*${sysctl.replaceAll('.', '\\.')}`));
    }
  });

  // dockerd gives capabilities the host itself may lack, and then cannot start.
  test('--privileged takes all of that away', { skip: daemonKind !== 'gantryd' }, async () => {
    const flags = '--privileged';
    const status = await run(flags, 'grep -E "^(Seccomp|CapEff)" /proc/self/status');
    assert.match(status, /^Seccomp:\t0$/m);
    // All that the host's own processes have here.
    const own = await machine.world.run(['grep', '^CapBnd', '/proc/1/status']);
    assert.equal(/CapEff:\t(.*)/.exec(status)?.[1], /CapBnd:\t(.*)/.exec(own.stdout)?.[1]);
    assert.match(await run(flags, 'test -c /dev/kmsg && wc -l < /proc/timer_list'), /^[1-9]/);
    assert.equal(await run(flags, '(: >> /proc/sys/kernel/domainname) && echo ok'), 'ok');
  });
});
