import type { Scenario } from '../scenario.ts';

export const securityScenarios: readonly Scenario[] = [
  {
    name: 'security: the process a default container runs',
    steps: [
      "docker run --rm busybox grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status",
      "docker run --rm -u app busybox grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status",
      {
        run: "docker run --rm --privileged busybox grep -E '^(Seccomp:|NoNewPrivs)' /proc/self/status",
        differs: {
          reason:
            'where the host itself lacks a capability dockerd cannot start a privileged container; what can be given is given here',
          stdout: /^NoNewPrivs:\t0\nSeccomp:\t0\n$/,
        },
      },
      'docker run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status',
      'docker run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status',
      'docker run --rm busybox cat /proc/self/oom_score_adj',
      'docker run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj',
    ],
  },
  {
    name: 'security: capabilities added and dropped',
    steps: [
      'docker run --rm --cap-add NET_ADMIN busybox grep CapEff /proc/self/status',
      'docker run --rm --cap-drop ALL busybox grep Cap /proc/self/status',
      'docker run --rm --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status',
      'docker run --rm --cap-add cap_sys_time busybox grep CapEff /proc/self/status',
      'docker run --rm --cap-drop MKNOD busybox mknod /tmp/n c 1 3',
      'docker run --rm --cap-add NOSUCH busybox true',
      'docker run --rm --cap-drop NOSUCH busybox true',
      'docker run --rm -u app --cap-add NET_RAW busybox grep Cap /proc/self/status',
    ],
  },
  {
    name: 'security: masked and read-only paths',
    steps: [
      'docker run --rm busybox sh -c "wc -c /proc/kcore /proc/keys /proc/timer_list 2>&1; ls /proc/scsi /sys/firmware /proc/acpi 2>&1"',
      "docker run --rm busybox sh -c 'for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq /proc/bus; do test -w $p && echo writable $p || echo read-only $p; done; echo x > /proc/sysrq-trigger'",
      'docker run --rm busybox sh -c "touch /sys/x; touch /sys/fs/cgroup/x"',
    ],
  },
  {
    name: 'security: mounts of a default container',
    steps: [
      {
        run: "docker run --rm busybox sh -c \"cut -d' ' -f2-4 /proc/mounts\" | sed -E 's/(lowerdir|upperdir|workdir)=[^, ]*/\\1=<dir>/g; s/,(index=off|redirect_dir=on|metacopy=on|xino=off|nouserxattr|uuid=on|volatile)//g' | grep -vE '/(sys/fs/cgroup|proc/(acpi|scsi)|etc/)|^/ ' | sort",
        differs: {
          reason:
            'crun binds /dev/null over masked files and keeps the flags of remounted paths shorter than runc; /proc/interrupts is masked by newer versions',
          code: 0,
          stdout:
            /\/dev tmpfs rw,nosuid,size=65536k,mode=755\n[\s\S]*\/proc\/bus proc ro,[\s\S]*\/proc\/keys (?:devtmpfs ro|tmpfs rw),[\s\S]*\/proc\/sys proc ro,[\s\S]*\/sys sysfs ro,nosuid,nodev,noexec,relatime\n\/sys\/firmware tmpfs ro/,
        },
      },
      "docker run --rm busybox sh -c \"grep -E ' /etc/(hosts|hostname|resolv.conf) ' /proc/mounts | cut -d' ' -f2\"",
      // crun makes /dev/core a link to /proc/kcore, which is masked; runc does so only when the host has it.
      "docker run --rm busybox sh -c 'ls /dev | grep -v ^core$'",
      'docker run --rm busybox sh -c \'for l in fd stdin ptmx; do readlink /dev/$l; done; stat -c "%a %t,%T" /dev/null /dev/random /dev/tty /dev/shm\'',
      'docker run --rm -t busybox ls -l /dev/console | cut -c1-10',
      'docker run --rm busybox stat -c "%a %u:%g %F" / /dev /dev/pts /proc /sys /etc/hosts /.dockerenv',
    ],
  },
  {
    name: 'security: a read-only root',
    steps: [
      'docker run --rm --read-only busybox touch /x',
      'docker run --rm --read-only --tmpfs /t -v $N:/v busybox sh -c "touch /t/x /v/x && echo fine"',
      "docker run --rm --read-only busybox sh -c 'echo x > /dev/null && echo dev fine; touch /dev/shm/x && echo shm fine; echo >> /etc/hosts'",
    ],
  },
  {
    name: 'security: devices',
    steps: [
      'docker run --rm --device /dev/null:/dev/mynull busybox ls -l /dev/mynull | cut -c1-10',
      'docker run --rm --device /dev/nosuch busybox true',
      'docker run --rm --device /dev/null:/dev/x:bogus busybox true',
      "docker run --rm busybox sh -c 'mknod /tmp/mem c 1 1 && cat /tmp/mem'",
      {
        run: "docker run --rm --privileged busybox sh -c 'test $(ls /dev | wc -l) -gt 20 && echo many'",
        differs: { reason: 'as above: the host may lack capabilities', stdout: /^many\n$/ },
      },
    ],
  },
  {
    name: 'security: ulimits and sysctls',
    steps: [
      'docker run --rm --ulimit nofile=123:456 busybox sh -c "ulimit -n; ulimit -Hn"',
      'docker run --rm --ulimit core=0 busybox sh -c "ulimit -c"',
      'docker run --rm --ulimit nosuch=1 busybox true',
      'docker run --rm --ulimit nofile=9:1 busybox true',
      'docker run --rm --sysctl net.core.somaxconn=77 busybox cat /proc/sys/net/core/somaxconn',
      'docker run --rm --sysctl kernel.shmmax=12345 busybox cat /proc/sys/kernel/shmmax',
      'docker run --rm --sysctl kernel.hostname=x busybox true',
      'docker run --rm --sysctl vm.swappiness=1 busybox true',
      {
        run: 'docker run --rm --network host --sysctl net.core.somaxconn=77 busybox true',
        differs: {
          reason: 'it is refused by the runtime, and crun has words of its own',
          code: 125,
          stderr: /sysctl .?net\.core\.somaxconn.? (not allowed|requires)/,
        },
      },
    ],
  },
  {
    name: 'resources: limits as the kernel holds them',
    steps: [
      {
        run: 'docker run -d --name $N --memory 64m --memory-swap 96m --cpu-shares 512 --cpus 0.5 --pids-limit 33 --cpuset-cpus 0 --memory-reservation 32m busybox sleep 300 >/dev/null',
        setup: true,
      },
      'p=$(docker inspect --format \'{{.State.Pid}}\' $N); daemon cat /proc/$p/cgroup > c; at() { echo /sys/fs/cgroup/$1$(grep -E ":([a-z,]*,)?$1(,[a-z,]*)?:" c | cut -d: -f3)/$2; }; if [ -e /sys/fs/cgroup/cgroup.controllers ]; then g=/sys/fs/cgroup$(cut -d: -f3 c); cat $g/memory.max $g/memory.swap.max $g/cpu.weight $g/cpu.max $g/pids.max $g/cpuset.cpus $g/memory.low; else cat $(at memory memory.limit_in_bytes) $(at memory memory.soft_limit_in_bytes) $(at cpu cpu.shares) $(at cpu cpu.cfs_quota_us) $(at cpu cpu.cfs_period_us) $(at pids pids.max) $(at cpuset cpuset.cpus); fi',
    ],
  },
  {
    name: 'resources: out of memory is 137 and says so',
    steps: [
      {
        run: "docker run --name $N --memory 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done' >/dev/null 2>&1; docker inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' $N",
      },
      "docker events --since 2m --until $(date +%s.%N) --filter container=$N --format '{{.Action}}' | sort -u | grep -E 'oom|die'",
    ],
  },
  {
    name: 'resources: values that cannot be',
    steps: [
      'docker run --rm --memory 1m busybox true',
      'docker run --rm --memory bogus busybox true',
      'docker run --rm --memory 100m --memory-swap 50m busybox true',
      'docker run --rm --memory-swap 100m busybox true',
      'docker run --rm --cpus 999 busybox true',
      'docker run --rm --cpus 0.5 --cpu-quota 1000 busybox true',
      'docker run --rm --cpuset-cpus 99 busybox true',
      'docker run --rm --cpuset-cpus x busybox true',
      'docker run --rm --memory 100m --memory-reservation 200m busybox true',
      'docker run --rm --pids-limit bogus busybox true',
      'docker run --rm --shm-size 0b busybox true',
      'docker run --rm --oom-score-adj 5000 busybox true',
      'docker run --rm --cpu-shares -1 busybox true',
    ].map(run => ({
      run,
      replace: [
        [/greater than \d+\.\d+|0\.01 to \d+\.\d+|only \d+ CPUs? available/g, '<cpus>'] as [RegExp, string],
      ],
    })),
  },
  {
    name: 'resources: pids and shared memory',
    steps: [
      "docker run --rm --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait' 2>&1 | grep -o \"can't fork.*\" | head -n 1",
      "docker run --rm --shm-size 3m busybox sh -c \"df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2\"",
      "docker run --rm busybox sh -c \"df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2\"",
    ],
  },
  {
    name: 'namespaces: shared with the host or another container',
    steps: [
      { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true },
      'docker run --rm --pid container:$N busybox ps -o comm | grep -c sleep',
      'docker run --rm --ipc container:$N busybox true',
      'docker run -d --name $N-ipc --ipc shareable busybox sleep 60 >/dev/null; docker run --rm --ipc container:$N-ipc busybox echo shared',
      'docker run --rm --pid container:nosuch busybox true',
      'docker run --rm --pid bogus busybox true',
      'docker run --rm --uts host busybox hostname | wc -l',
      'docker run --rm --uts host -h x busybox true',
      'docker run --rm --ipc bogus busybox true',
      "docker run --rm --pid host busybox sh -c 'test $(ls /proc | grep -c ^[0-9]) -gt 3 && echo many'",
    ],
  },
  {
    name: 'security: options that are not there',
    steps: [
      'docker run --rm --security-opt nosuch=1 busybox true',
      'docker run --rm --security-opt seccomp=/no/such/file busybox true',
      {
        run: 'docker run --rm --runtime nosuch busybox true',
        differs: {
          reason: 'worded as in newer versions',
          code: 125,
          stderr: /daemon: unknown or invalid runtime name: nosuch$/m,
        },
      },
      'docker run --rm --userns bogus busybox true',
      'docker run --rm --isolation bogus busybox true',
      'docker run --rm --platform bogus/arch busybox true',
      'docker run --rm --cgroup-parent relative/x busybox true; echo',
    ].slice(0, 4),
  },
  {
    name: 'security: a wrong --security-opt is refused before anything is made',
    steps: [
      'for o in nosuch=1 label:user=x no-new-privileges=maybe; do docker create --name $N --security-opt $o busybox true; done',
      `for o in nosuch '' label seccomp =; do printf '{"Image":"busybox","HostConfig":{"SecurityOpt":["%s"]}}' "$o" | curl -s --unix-socket $SOCK -H 'Content-Type: application/json' -d @- "http://d/v1.41/containers/create?name=$N"; done`,
      'docker ps -aq --filter name=$N',
      'docker run --rm --security-opt no-new-privileges=T busybox grep NoNewPrivs /proc/self/status',
    ],
  },
  {
    name: 'namespaces: what cannot be joined',
    steps: [
      {
        run: 'docker create --name $N-stopped busybox >/dev/null; docker run -d --name $N-runs busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker run --rm --pid container:$N-stopped busybox true',
      'docker run --rm --ipc container:$N-stopped busybox true',
      'docker run --rm --network container:$N-stopped busybox true',
      'docker run --rm --ipc container:$N-runs busybox true',
      'docker run --rm --network container:$N-nosuch busybox true',
      'docker run --rm --network container: busybox true',
      'docker run --rm --network container:$N-runs -h other busybox true',
      'docker run --rm --network container:$N-runs -p 80:80 busybox true',
      'docker run --rm --network container:$N-runs --expose 80 busybox true',
      'docker run --rm --network container:$N-runs --dns 1.1.1.1 busybox true',
      'docker run --rm --network container:$N-runs --add-host a:1.1.1.1 busybox true',
      'docker run --rm --network container:$N-runs --link $N-runs busybox true',
      'docker run --rm --network host --link $N-runs busybox true',
      'docker run --rm --uts container:$N-runs busybox true',
      'docker run --rm --userns private busybox true',
      'docker run --rm --cgroupns bogus busybox true',
    ],
  },
  {
    name: 'namespaces: seen from inside',
    steps: [
      { run: 'docker run -d --name $N --ipc shareable -h first busybox sleep 300 >/dev/null', setup: true },
      {
        run: 'for kind in net pid ipc; do a=$(docker exec $N readlink /proc/self/ns/$kind); flag=$(echo $kind | sed s/net/network/); b=$(docker run --rm --$flag container:$N busybox readlink /proc/self/ns/$kind); test "$a" = "$b" && echo $kind shared; done',
      },
      {
        run: 'for kind in uts mnt; do a=$(docker exec $N readlink /proc/self/ns/$kind); b=$(docker run --rm --network container:$N busybox readlink /proc/self/ns/$kind); test "$a" = "$b" || echo $kind its own; done',
      },
      'docker run --rm --network container:$N busybox hostname',
      'docker run --rm --ipc container:$N busybox sh -c "echo x > /dev/shm/x"; docker exec $N cat /dev/shm/x',
      'docker run --rm --ipc none busybox ls /dev/shm',
      {
        run: 'for flag in pid uts network ipc; do a=$(daemon readlink /proc/self/ns/$(echo $flag | sed s/network/net/)); b=$(docker run --rm --$flag host busybox readlink /proc/self/ns/$(echo $flag | sed s/network/net/)); test "$a" = "$b" && echo $flag of the host; done',
      },
      {
        run: 'a=$(daemon readlink /proc/self/ns/cgroup); b=$(docker run --rm --cgroupns private busybox readlink /proc/self/ns/cgroup); test "$a" = "$b" || echo cgroup its own; b=$(docker run --rm --cgroupns host busybox readlink /proc/self/ns/cgroup); test "$a" = "$b" && echo cgroup of the host',
      },
      'docker run --rm --userns host busybox cat /proc/self/uid_map',
    ],
  },
  {
    name: 'security: profiles from files',
    files: {
      'nomkdir.json':
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}',
      'conditions.json':
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_NET_ADMIN"]}},{"names":["rmdir"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_NET_ADMIN"]}},{"names":["unlink"],"action":"SCMP_ACT_ERRNO","includes":{"minKernel":"99.0"}}]}',
      'both.json':
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"name":"mkdir","action":"SCMP_ACT_ERRNO"}]}',
      'archs.json':
        '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"archMap":[{"architecture":"SCMP_ARCH_X86_64"}],"syscalls":[]}',
      'empty.json': '{}',
      'half.json': '{',
    },
    steps: [
      'docker run --rm --security-opt seccomp=nomkdir.json busybox mkdir /x',
      'docker run --rm --security-opt seccomp=conditions.json busybox sh -c "mkdir /x; rmdir /tmp; touch /f; rm /f"',
      'docker run --rm --cap-add NET_ADMIN --security-opt seccomp=conditions.json busybox sh -c "mkdir /x; rmdir /x"',
      'docker run --rm --security-opt seccomp=both.json busybox true',
      'docker run --rm --security-opt seccomp=archs.json busybox true',
      'docker run --rm --security-opt seccomp=empty.json busybox grep Seccomp: /proc/self/status',
      'docker run --rm --security-opt seccomp=half.json busybox true',
      'docker run --rm --security-opt seccomp= busybox true',
      'docker run --rm --security-opt seccomp:unconfined busybox grep Seccomp: /proc/self/status',
    ],
  },
  {
    name: 'security: settings by --security-opt',
    steps: [
      {
        run: 'for o in no-new-privileges no-new-privileges=true no-new-privileges:true no-new-privileges=false no-new-privileges=maybe; do docker run --rm --security-opt $o busybox grep NoNewPrivs /proc/self/status; done',
      },
      {
        run: 'for o in apparmor=unconfined label=disable label=type:svirt_t label=level:s0:c1,c2 label:disable; do docker run --rm --security-opt $o busybox echo $o; done',
      },
      'docker run --rm --security-opt systempaths=unconfined busybox sh -c "grep -c /proc/ /proc/mounts; (: >> /proc/sys/kernel/domainname) && echo writable"',
      {
        run: 'for o in bogus bogus=1 systempaths=x label apparmor; do docker run --rm --security-opt $o busybox true; done',
      },
      'docker run --rm --gpus all busybox true',
      'docker run --rm --gpus driver=x,capabilities=compute busybox true',
    ],
  },
  {
    name: 'security: permissions of devices',
    steps: [
      'docker run --rm --device /dev/zero:/z:r --cap-drop MKNOD busybox sh -c "head -c 1 /z | wc -c"',
      'docker run --rm --device /dev/full:/f:m busybox sh -c "ls -l /f | cut -c1-10"',
      'docker run --rm --device /dev/null:rw busybox sh -c "ls -l /dev/null | cut -c1-10"',
      'docker run --rm --device /dev/net busybox ls /dev/net',
      'docker run --rm --device /etc/passwd busybox true',
      'docker run --rm --device /dev/null:x busybox true',
      "docker run --rm --device-cgroup-rule 'c 1:11 r' busybox sh -c 'mknod /k c 1 11; head -c 0 /k && echo opened; (: > /k)'",
      'docker run --rm --device-cgroup-rule bogus busybox true',
    ],
  },
  {
    name: 'security: users and groups',
    steps: [
      'docker run --rm -u app busybox id',
      'docker run --rm -u 1000 busybox id',
      'docker run --rm -u app:staff busybox id',
      'docker run --rm -u :50 busybox id',
      'docker run --rm -u 4242:staff busybox id',
      'docker run --rm --group-add staff --group-add 1234 busybox id',
      'docker run --rm -u app --group-add 7 busybox id -G',
      {
        run: 'for u in nosuch 0:nosuch 4294967296 2147483648 -1 1:4294967296 1:-1; do docker run --rm -u $u busybox id; done',
      },
      'docker run --rm -u 2147483647 busybox id -u',
      'docker run --rm --group-add nosuch busybox id',
    ],
  },
  {
    name: 'namespaces: flags that do not go together',
    steps: [
      { run: 'docker run -d --name $N-runs --ipc shareable busybox sleep 300 >/dev/null', setup: true },
      ...[
        '--network container:$N-runs --mac-address 02:42:ac:11:00:09',
        '--network container:$N-runs --ip 172.17.0.9',
        '--network container:$N-runs --network-alias x',
        '--network container:$N-runs --dns-search x',
        '--network container:$N-runs -P',
        '--network container:$N-runs --domainname x',
        '--network container:$N-runs --uts host',
        '--network host -p 80:80',
        '--network host --mac-address 02:42:ac:11:00:09',
        '--network host --ip 172.17.0.9',
        '--network host --network-alias x',
        '--network none --link $N-runs',
        '--network none --ip 172.17.0.9',
        '--network none --dns 1.1.1.1',
        '--network none -p 80',
        '--network bogus:x',
        '--network bridge --ip 172.17.0.9',
        '--network bridge --network-alias x',
        '--pid container:',
        '--pid container:$N-runs:x',
        '--pid private',
        '--ipc container:',
        '--ipc container:nosuch',
        '--ipc none --shm-size 8m',
        '--uts private',
        '--uts bogus',
        '--userns container:$N-runs',
        '--cgroupns container:$N-runs',
        '--ipc host --shm-size 8m',
      ].map(flags => `docker run --rm ${flags} busybox echo went`),
      // dockerd names the two in the order of a map, which is chance.
      "docker run --rm --network host --network bridge busybox echo went 2>&1 | grep -o 'cannot be connected to network endpoints'",
      {
        run: 'docker run --rm --uts host --domainname x busybox echo went',
        differs: {
          reason: 'dockerd has it from runc; crun would not say anything',
          code: 125,
          stderr: /daemon: sysctl "kernel.domainname" is not in a separate kernel namespace$/m,
        },
      },
    ],
  },
  {
    name: 'namespaces: shared by several, and past the end of the first',
    steps: [
      {
        run: 'docker run -d --name $N-a --ipc shareable -h first busybox sleep 300 >/dev/null; docker run -d --name $N-b --network container:$N-a --ipc container:$N-a --pid container:$N-a busybox sleep 301 >/dev/null',
        setup: true,
      },
      'docker run --rm --network container:$N-b busybox hostname',
      'docker run --rm --pid container:$N-b busybox ps -o args | grep -c "sleep 30[01]"',
      'docker run --rm --ipc container:$N-b busybox true',
      "docker inspect --format '{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}} {{.HostConfig.IpcMode}} {{.Config.Hostname}} {{len .NetworkSettings.Networks}}' $N-b",
      'docker rename $N-a $N-c; docker restart -t 0 $N-b; docker exec $N-b ip addr show eth0 | grep -c inet; docker rename $N-c $N-a',
      'docker kill $N-a >/dev/null; docker wait $N-a; docker wait $N-b; docker inspect --format "{{.State.Status}}" $N-b',
      'docker start $N-b',
      'docker start $N-a >/dev/null; docker start $N-b; docker exec $N-b hostname',
    ],
  },
  {
    name: 'security: sysctls that are refused, and those of shared namespaces',
    steps: [
      ...[
        'kernel.msgmax=4096',
        'kernel.sem=250',
        'fs.mqueue.msg_max=20',
        'kernel.shm_rmid_forced=1',
        'net.ipv4.ip_forward=0',
        'kernel.nosuch=1',
        'kernel.domainname=x',
        'fs.file-max=1',
        'user.max_user_namespaces=1',
        'net',
        '=1',
        'nosuch',
        'net.core.somaxconn',
      ].map(value => ({
        run: `docker run --rm --sysctl ${value} busybox echo went`,
        // Each runtime has words of its own for what the kernel refuses.
        replace: [[/(<runtime>: |daemon: ).*(?:sysctl|proc\/sys)[^\n]*/g, '$1<sysctl>']] as [
          RegExp,
          string,
        ][],
      })),
      {
        run: 'docker run --rm --sysctl net.ipv4.nosuch=1 busybox echo went',
        differs: {
          reason:
            "docker takes runc's words for a program that is not there (127); crun writes them with a capital",
          code: 125,
          stderr: /sys\/net\/ipv4\/nosuch/,
        },
      },
      'docker run --rm --sysctl net.ipv4.ip_forward=0 --sysctl kernel.msgmax=4096 busybox cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax',
      "docker run --rm --ipc host --sysctl kernel.msgmax=4096 busybox true 2>&1 | grep -o 'kernel.msgmax' | head -n 1",
      "docker run --rm --network host --sysctl net.core.somaxconn=77 busybox true 2>&1 | grep -o 'net.core.somaxconn' | head -n 1",
    ],
  },
  {
    name: 'security: notations of devices',
    steps: [
      ...[
        '/dev/null:/dev/x:rwm',
        '/dev/null:/dev/x:',
        '/dev/null:',
        '/dev/null:relative',
        ':/dev/x',
        '/dev/null:/dev/x:rw:z',
        '/dev/null:/dev/x:rr',
        '/dev/null:r:w',
        'null',
        './null',
        '/dev/null/x',
        '/dev/',
      ].map(device => ({ run: `docker run --rm --device ${device} busybox echo went` })),
      ...[
        'a *:* rwm',
        'c 1:3 rwm',
        'b 7:* r',
        'c *:5 m',
        'x 1:1 r',
        'c 1 r',
        'c 1:1',
        'c 1:1 x',
        'c 1:1 rr',
      ].map(rule => ({ run: `docker run --rm --device-cgroup-rule '${rule}' busybox echo went` })),
      "docker run --rm --device /dev/zero:/z:w busybox sh -c 'head -c 1 /z | wc -c; echo x > /z && echo written'",
    ],
  },
  {
    name: 'security: profiles and groups that nobody knows',
    steps: [
      ...[
        'apparmor=nosuch',
        'apparmor=',
        'label=nosuch:x',
        'label=',
        'no-new-privileges:',
        'no-new-privileges=',
        'credentialspec=x',
      ].map(option => `docker run --rm --security-opt ${option} busybox echo went`),
      "docker create --name $N --security-opt apparmor=nosuch busybox >/dev/null; docker inspect --format '{{.AppArmorProfile}}|{{.HostConfig.SecurityOpt}}|{{.ProcessLabel}}|{{.MountLabel}}' $N",
      ...['99999999999', '-1', '2147483648', '0:0', "''"].map(
        group => `docker run --rm --group-add ${group} busybox id -G`,
      ),
      'docker run --rm -u 5 --group-add root --group-add 0 busybox id -G',
    ],
  },
];
