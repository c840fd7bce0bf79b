/** Projects, by what they are about. What docker compose asks the engine to make for each is recorded in golden/made/. */
export const madeProjects: Record<string, Record<string, string>> = {
  'what a container is': {
    'env/a.env': 'FROM_FILE=1\n',
    'l.labels': 'from.file=1\n',
    'compose.yaml': `
services:
  plain: {image: busybox}
  words:
    image: busybox
    command: ["a", "b c"]
    entrypoint: /bin/sh -c
    environment: {A: 1, B: , C: "", D: "x=y"}
    env_file: env/a.env
    labels: {one: "1", two: }
    label_file: l.labels
    annotations: {note: this}
    hostname: h
    domainname: d.example
    user: "1:2"
    working_dir: /w
    tty: true
    stdin_open: true
    init: true
    stop_signal: SIGINT
    stop_grace_period: 1500ms
    expose: ["80", "90/udp", "100-102"]
    attach: false
    container_name: own-name
    read_only: true
    privileged: true
    restart: on-failure:3
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true", "seccomp:unconfined"]
    group_add: [mail, 100]
    dns: [1.2.3.4]
    dns_search: [a.example]
    dns_opt: ["ndots:2"]
    extra_hosts: ["a:1.2.3.4", "b=::1", "c:host-gateway"]
    tmpfs: [/run, "/t:size=1m"]
    sysctls: {net.core.somaxconn: 1024}
    logging: {driver: json-file, options: {max-size: 1m, max-file: 3}}
    ulimits: {nproc: 100, nofile: {soft: 10, hard: 20}}
    platform: linux/amd64
  empty:
    image: busybox
    command: []
    entrypoint: []
    restart: "no"
    init: false
    stop_grace_period: 10s
    domainname: ""
    ipc: private
    pid: ""
    logging: {driver: none}
  again: {image: busybox, restart: unless-stopped, runtime: runc, ipc: shareable, uts: host, userns_mode: host, cgroup: private, pid: host}
  hashed: {image: busybox, restart: always, cgroup: host, ipc: host, network_mode: host}
  alone: {image: busybox, network_mode: none, isolation: default}
  bridged: {image: busybox, network_mode: bridge, ports: ["80"]}
`,
  },
  'checks of health': {
    'compose.yaml': `
services:
  shell: {image: busybox, healthcheck: {test: "true || false", interval: 1m30s, timeout: 2s, retries: 3, start_period: 1h, start_interval: 500ms}}
  words: {image: busybox, healthcheck: {test: [CMD, "true", x]}}
  none: {image: busybox, healthcheck: {disable: true}}
  said: {image: busybox, healthcheck: {test: [NONE]}}
  times: {image: busybox, healthcheck: {interval: 3s}}
`,
  },
  'limits of a container': {
    'compose.yaml': `
services:
  flat:
    image: busybox
    mem_limit: 64m
    memswap_limit: 128m
    mem_reservation: 32m
    mem_swappiness: 10
    oom_score_adj: 500
    oom_kill_disable: true
    pids_limit: 100
    cpu_shares: 512
    cpuset: "0"
    shm_size: 32m
  quota: {image: busybox, cpu_period: 100000, cpu_quota: 50000, memswap_limit: -1, mem_limit: 20m, pids_limit: -1}
  cpus: {image: busybox, cpus: 0.5}
  deployed:
    image: busybox
    deploy:
      labels: {only: deploy}
      resources:
        limits: {cpus: "0.25", memory: 50M, pids: 20}
        reservations: {cpus: "0.1", memory: 20M}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}
  any: {image: busybox, deploy: {restart_policy: {condition: any}}}
  never: {image: busybox, deploy: {restart_policy: {condition: none}}}
  twice: {image: busybox, restart: always, deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}}
  unsaid: {image: busybox, deploy: {restart_policy: {delay: 1s}}}
  parent: {image: busybox, cgroup_parent: /made}
  rules: {image: busybox, device_cgroup_rules: ["c 1:3 mr", "a 7:* rmw"]}
  devices: {image: busybox, devices: ["/dev/null:/dev/xnull:rw", "/dev/zero", {source: /dev/full, target: /dev/f, permissions: r}]}
  weights: {image: busybox, blkio_config: {weight: 300}}
`,
  },
  'rates of devices': {
    'compose.yaml': `
services:
  rates:
    image: busybox
    blkio_config:
      weight_device: [{path: /dev/vda, weight: 400}]
      device_read_bps: [{path: /dev/vda, rate: 12mb}]
      device_read_iops: [{path: /dev/vda, rate: 120}]
      device_write_bps: [{path: /dev/vda, rate: "1024k"}]
      device_write_iops: [{path: /dev/vda, rate: 30}]
`,
  },
  'real time': {
    'compose.yaml': 'services: {a: {image: busybox, cpu_rt_period: 1000000, cpu_rt_runtime: 400000}}\n',
  },
  'the size of a root': { 'compose.yaml': 'services: {a: {image: busybox, storage_opt: {size: 1G}}}\n' },
  'processors of Windows': {
    'compose.yaml': 'services: {a: {image: busybox, cpu_count: 1, cpu_percent: 50}}\n',
  },
  'a processor': {
    'compose.yaml': 'services: {a: {image: busybox, gpus: all}}\n',
  },
  'some processors': {
    'compose.yaml': `
services:
  a:
    image: busybox
    gpus:
      - {driver: nvidia, count: 2}
      - {driver: other, device_ids: ["0", "1"], capabilities: [gpu, x], options: {a: b}}
`,
  },
  'reserved devices': {
    'compose.yaml': `
services:
  a:
    image: busybox
    deploy:
      resources:
        reservations:
          devices:
            - {capabilities: [gpu]}
            - {capabilities: [gpu, tpu], driver: nvidia, count: all, options: {virtualization: "false"}}
`,
  },
  ports: {
    'compose.yaml': `
services:
  short: {image: busybox, ports: ["8080:80", "127.0.0.1:5000-5001:5000-5001/udp", "9000", "[::1]:90:91", "7000-7002:70", "8081:80"]}
  long:
    image: busybox
    ports:
      - {target: 80, published: 8080, host_ip: 127.0.0.1, protocol: udp, mode: host, name: http}
      - {target: 81}
      - {target: 82, published: "9000-9010"}
  shared: {image: busybox, expose: [80], ports: ["80"]}
`,
  },
  mounts: {
    'd/file': '',
    'compose.yaml': `
services:
  short: {image: busybox, volumes: ["./d:/d:ro", "vol:/v", "/anon", "./d:/z:z,rshared", "vol:/w:nocopy", "vol:/r:ro", "./d:/c:cached"]}
  long:
    image: busybox
    volumes:
      - {type: bind, source: ./d, target: /d, read_only: true, bind: {propagation: rslave, create_host_path: false}}
      - {type: bind, source: ./d, target: /e, bind: {create_host_path: true, selinux: z}}
      - {type: bind, source: ./d, target: /f, bind: {recursive: disabled}}
      - {type: bind, source: ./d, target: /g, read_only: true, bind: {recursive: writable}}
      - {type: bind, source: ./d, target: /h}
      - {type: volume, source: vol, target: /v/, volume: {nocopy: true, labels: {x: y}}}
      - {type: volume, target: /a}
      - {type: volume, source: vol, target: /r, read_only: true}
      - {type: tmpfs, target: /t, tmpfs: {size: 10m, mode: 01777}}
      - {type: tmpfs, target: /u}
      - {type: volume, source: vol, target: /c, consistency: cached}
  image: {image: busybox, volumes: [{type: image, source: busybox, target: /i}]}
  sub: {image: busybox, volumes: [{type: volume, source: vol, target: /s, volume: {subpath: a}}, {type: image, source: busybox, target: /i, image: {subpath: bin}}]}
  from: {image: busybox, volumes_from: ["short:ro", long]}
  outside: {image: busybox, volumes: ["there:/t"]}
  named: {image: busybox, volumes: ["made:/m"]}
volumes:
  vol: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}, labels: {a: b}}
  made: {name: made-by-name}
  there: {external: true, name: made-before}
`,
  },
  networks: {
    'compose.yaml': `
services:
  one: {image: busybox}
  aliases: {image: busybox, networks: {front: {aliases: [w, w2]}, default: }}
  addresses:
    image: busybox
    networks:
      front:
        ipv4_address: 10.93.0.5
        ipv6_address: fd93::5
        link_local_ips: [169.254.8.8]
        mac_address: "02:00:00:00:00:01"
        priority: 5
        gw_priority: 7
        driver_opts: {com.docker.network.endpoint.sysctls: "net.ipv4.conf.IFNAME.log_martians=1"}
        interface_name: front0
      back: {priority: 10}
  mac: {image: busybox, mac_address: "02:00:00:00:00:02"}
  linked: {image: busybox, links: [one, "one:other"], external_links: [chosen, "chosen:c"], networks: [default, back]}
  joined: {image: busybox, network_mode: "service:one", pid: "service:one", ipc: "service:one"}
  several: {image: busybox, networks: [outside, back, front], deploy: {replicas: 2}}
networks:
  front:
    driver: bridge
    driver_opts: {com.docker.network.driver.mtu: 1400}
    enable_ipv6: true
    ipam: {driver: default, options: {a: b}, config: [{subnet: 10.93.0.0/24, gateway: 10.93.0.1, ip_range: 10.93.0.0/25, aux_addresses: {h: 10.93.0.9}}, {subnet: "fd93::/64"}]}
    attachable: true
    labels: [a=b]
  back: {internal: true, enable_ipv4: true, name: "the-back"}
  outside: {external: true, name: made-before}
`,
  },
  'configs and secrets': {
    '.env': 'FROM_ENV=value\n',
    f: 'file\n',
    'compose.yaml': `
services:
  a:
    image: busybox
    configs: [one, two, three, {source: three, target: /c/three}, {source: three, target: /c/own, mode: 0400}]
    secrets: [s, {source: s, target: elsewhere}, {source: t, target: /abs}, {source: t, target: own, uid: "5", gid: "6", mode: 0400}]
configs: {one: {content: "a=\${FROM_ENV}\\nb"}, two: {environment: FROM_ENV}, three: {file: ./f}}
secrets: {s: {environment: FROM_ENV}, t: {file: ./f}}
`,
  },
  'what waits for what': {
    'compose.yaml': `
services:
  a: {image: busybox, depends_on: [b, c]}
  b: {image: busybox, depends_on: {c: {condition: service_healthy, restart: true}, d: {condition: service_completed_successfully, required: false}}}
  c: {image: busybox, healthcheck: {test: "true"}}
  d: {image: busybox}
  e: {image: busybox, volumes_from: [c], network_mode: "service:b"}
  f: {image: busybox, links: [d]}
`,
  },
  'a socket of the engine': { 'compose.yaml': 'services: {a: {image: busybox, use_api_socket: true}}\n' },
  'credentials of Windows': {
    'compose.yaml': 'services: {a: {image: busybox, credential_spec: {file: cred.json}}}\n',
  },
  'credentials of a registry': {
    'compose.yaml': 'services: {a: {image: busybox, credential_spec: {registry: key}}}\n',
  },
  'credentials from a config': {
    'compose.yaml':
      'services: {a: {image: busybox, credential_spec: {config: c}}}\nconfigs: {c: {content: x}}\n',
  },
  'an isolation of Windows': { 'compose.yaml': 'services: {a: {image: busybox, isolation: hyperv}}\n' },
  'a secret from outside': {
    'compose.yaml': 'services: {a: {image: busybox, secrets: [s]}}\nsecrets: {s: {external: true}}\n',
  },
  'a config from outside': {
    'compose.yaml':
      'services: {a: {image: busybox, configs: [s]}}\nconfigs: {s: {external: true, name: far}}\n',
  },
  'a secret of a driver': {
    'compose.yaml': 'services: {a: {image: busybox, secrets: [s]}}\nsecrets: {s: {driver: d, file: ./x}}\n',
  },
  'a secret of a variable that is not set': {
    'compose.yaml': 'services: {a: {image: busybox, secrets: [s]}}\nsecrets: {s: {environment: NOT_SET}}\n',
  },
  'a variable with a mode': {
    '.env': 'FROM_ENV=value\n',
    'compose.yaml':
      'services: {a: {image: busybox, secrets: [{source: s, mode: 0400, uid: "7"}]}}\nsecrets: {s: {environment: FROM_ENV}}\n',
  },
  'a model': {
    'compose.yaml': 'services: {a: {image: busybox, models: [m]}}\nmodels: {m: {model: ai/small}}\n',
  },
  'an outer network that is not there': {
    'compose.yaml':
      'services: {a: {image: busybox, networks: [n]}}\nnetworks: {n: {external: true, name: absent}}\n',
  },
  'an outer volume that is not there': {
    'compose.yaml':
      'services: {a: {image: busybox, volumes: ["far:/n"]}}\nvolumes: {far: {external: true, name: absent}}\n',
  },
};
