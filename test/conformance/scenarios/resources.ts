import type { Scenario } from '../scenario.ts';

/** How a line of the kernel's is read for the container $N: `at memory memory.limit_in_bytes`; cgroup v1. */
const at =
  'p=$(docker inspect --format \'{{.State.Pid}}\' $N); daemon cat /proc/$p/cgroup > c; at() { cat /sys/fs/cgroup/$1$(grep -E ":([a-z,]*,)?$1(,[a-z,]*)?:" c | cut -d: -f3)/$2; }; [ -e /sys/fs/cgroup/cgroup.controllers ] ||';

/** The disk's number is another one on each machine. */
const disk: [RegExp, string][] = [[/^\d+:\d+ /gm, '<disk> ']];

export const resourcesScenarios: readonly Scenario[] = [
  {
    name: 'limits: refused at creation',
    steps: [
      'docker create --memory 4m busybox',
      'docker create --memory-swap 20m busybox',
      'docker create --memory 20m --memory-swap 10m busybox',
      'docker create --memory-reservation 1m busybox',
      'docker create --kernel-memory 1m busybox',
      'docker create --cpus 500 busybox',
      'docker create --cpus 1 --cpu-period 100000 busybox',
      'docker create --cpus 1 --cpu-quota 100000 busybox',
      'docker create --cpu-period 100 busybox',
      'docker create --cpu-quota 100 busybox',
      'docker create --cpu-rt-period 10000 --cpu-rt-runtime 20000 busybox',
      'docker create --cpuset-cpus 700 busybox',
      'docker create --cpuset-cpus a busybox',
      'docker create --cpuset-mems 33 busybox',
      'docker create --cpuset-mems 0,x busybox',
      'docker create --blkio-weight 5 busybox',
      'docker create --oom-score-adj 2000 busybox',
    ],
  },
  {
    name: 'limits: warnings at creation',
    steps: [
      'docker create --name $N-1 --oom-kill-disable busybox >/dev/null',
      'docker create --name $N-2 --oom-kill-disable --memory 20m busybox >/dev/null',
      'docker create --name $N-3 --blkio-weight 300 busybox >/dev/null',
      'docker create --name $N-4 --blkio-weight-device /dev/null:300 busybox >/dev/null',
      {
        run: 'docker create --name $N-5 --kernel-memory 50m busybox >/dev/null',
        differs: {
          reason: 'no kernel of today has the limit: Gantry says that it is discarded',
          code: 0,
          stderr: /kernel memory limit is deprecated[\s\S]*kernel memory limit capabilities/,
        },
      },
      "docker inspect --format '{{.HostConfig.BlkioWeight}} {{json .HostConfig.BlkioWeightDevice}} {{.HostConfig.OomKillDisable}}' $N-1 $N-2 $N-3 $N-4",
    ],
  },
  {
    name: 'limits: refused at the start',
    steps: [
      {
        run: 'docker run --rm --cpu-rt-runtime 1000 busybox true',
        compare: ['code', 'stdout'],
      },
      {
        run: 'docker run --rm --ulimit nofile=100000000 busybox true',
        compare: ['code', 'stdout'],
      },
      {
        run: 'docker run --rm --device-read-bps /dev/nosuch:1mb busybox true',
        compare: ['code', 'stdout'],
      },
    ],
  },
  {
    name: 'limits: more of them as the kernel holds them',
    steps: [
      {
        run: 'd=/dev/$(ls /sys/block | grep -vE "^(loop|ram|zram|sr|fd|dm-)" | head -n 1); docker run -d --name $N --memory 64m --memory-swap -1 --memory-swappiness 7 --oom-kill-disable --cpu-period 50000 --cpu-quota 25000 --cpuset-mems 0 --device-read-bps $d:1mb --device-write-bps $d:2mb --device-read-iops $d:100 --device-write-iops $d:200 --oom-score-adj 321 busybox sleep 300 >/dev/null',
        setup: true,
      },
      {
        run: `${at} { at memory memory.memsw.limit_in_bytes; at memory memory.swappiness; at memory memory.oom_control | grep disable; at cpu cpu.cfs_period_us; at cpu cpu.cfs_quota_us; at cpuset cpuset.mems; for f in read_bps write_bps read_iops write_iops; do at blkio blkio.throttle.$\{f}_device; done; }; docker exec $N cat /proc/1/oom_score_adj`,
        replace: disk,
      },
      'docker restart -t 0 $N',
      {
        run: `${at} { at memory memory.swappiness; at cpu cpu.cfs_quota_us; at blkio blkio.throttle.write_iops_device; }`,
        replace: disk,
      },
    ],
  },
  {
    name: 'limits: ulimits by every name',
    steps: [
      'docker run --rm --ulimit core=1 --ulimit cpu=10:20 --ulimit data=100000000 --ulimit fsize=1000000 --ulimit locks=5 --ulimit memlock=65536 --ulimit msgqueue=1000 --ulimit nofile=50:60 --ulimit nproc=1000 --ulimit rss=1000000 --ulimit rttime=1000000 --ulimit sigpending=100 --ulimit stack=8388608 busybox cat /proc/self/limits',
      'docker run --rm --ulimit as=1 busybox true',
      'docker run --rm --ulimit nofile=1:2:3 busybox true',
    ],
  },
  {
    name: 'limits: updated while it runs',
    steps: [
      {
        run: 'docker run -d --name $N --memory 64m --pids-limit 50 busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker update --memory 256m $N',
      'docker update --memory 32m --memory-swap 16m $N',
      'docker update --memory 100m --cpus 1 --pids-limit 20 --memory-reservation 20m --cpuset-cpus 0 $N',
      'docker update --cpu-quota 5000 $N',
      'docker update --cpus 500 $N',
      'docker update --memory-reservation 1m $N',
      'docker update --blkio-weight 300 $N',
      `${at} { at memory memory.limit_in_bytes; at memory memory.memsw.limit_in_bytes; at memory memory.soft_limit_in_bytes; at cpu cpu.cfs_quota_us; at pids pids.max; at cpuset cpuset.cpus; }`,
      "docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpusetCpus}}' $N",
      'docker restart -t 0 $N',
      `${at} { at memory memory.limit_in_bytes; at cpu cpu.cfs_quota_us; at pids pids.max; }`,
      'docker update --pids-limit -1 $N',
      `${at} at pids pids.max; docker inspect --format '{{.HostConfig.PidsLimit}}' $N`,
    ],
  },
  {
    name: 'limits: updated while it stands',
    steps: [
      { run: 'docker create --name $N --cpu-period 50000 busybox sleep 300 >/dev/null', setup: true },
      'docker update --cpus 1 $N',
      'docker update --memory 16m $N',
      'docker update --memory 16m --memory-swap 24m $N',
      'docker update --memory-swap -1 $N',
      'docker update --memory 4m $N',
      'docker update --cpuset-mems 9 $N',
      'docker update $N',
      "docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuPeriod}}' $N",
    ],
  },
];
