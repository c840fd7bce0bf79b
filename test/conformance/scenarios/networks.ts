import type { Scenario } from '../scenario.ts';

const server = (port: string): string =>
  `docker run -d --name $N ${port} busybox sh -c 'echo served > /var/www/index.html; httpd -f -p 80 -h /var/www' >/dev/null`;
const fetch = (url: string): string =>
  `for i in $(seq 100); do net curl -s --max-time 20 ${url} && break; sleep 0.2; done`;

export const networksScenarios: readonly Scenario[] = [
  {
    name: 'network: create, ls, inspect, rm',
    steps: [
      'docker network create $N | wc -c',
      'docker network create $N',
      { run: "docker network ls --filter name=$N --format '{{.Name}} {{.Driver}} {{.Scope}}'" },
      { run: 'docker network inspect $N', json: true, ignore: ['IPAM.Config'] },
      'docker network rm $N',
      'docker network rm $N',
      'docker network inspect $N',
      "docker network create 'bad name'",
      'docker network create --driver nosuch $N-2',
      'docker network create',
    ],
  },
  {
    name: 'network: subnets, gateways, labels and options',
    steps: [
      {
        run: 'docker network create --subnet 10.123.0.0/24 --gateway 10.123.0.254 --ip-range 10.123.0.128/25 --aux-address printer=10.123.0.130 --internal --attachable --label a=b -o com.docker.network.bridge.name=gtbr7 $N >/dev/null; docker network inspect $N',
        json: true,
      },
      'docker run --rm --network $N busybox ip -4 -o addr show eth0 | grep -o "inet [^ ]*"',
      'docker run --rm --network $N --ip 10.123.0.77 busybox ip -4 -o addr show eth0 | grep -o "inet [^ ]*"',
      'docker run --rm --network $N --ip 10.9.9.9 busybox true',
      {
        run: 'docker run --rm --network $N busybox ip route',
        differs: {
          reason: 'newer versions give a container on an internal network no default route',
          code: 0,
          stdout: /^10\.123\.0\.0\/24 dev eth0 scope link +src 10\.123\.0\.\d+ *\n$/,
        },
      },
      "docker network ls --filter label=a=b --filter name=$N --format '{{.Name}} {{.Labels}} {{.Internal}}'",
      'docker network create --subnet 10.123.0.0/24 $N-overlap',
      'docker network create --subnet bogus $N-bad',
      'docker network create --gateway 10.5.5.5 --subnet 10.6.0.0/16 $N-bad',
      'docker network create --subnet 10.124.0.0/24 --ip-range 10.125.0.0/25 $N-bad',
      'docker network rm $N',
    ],
  },
  {
    name: 'network: the predefined ones stay',
    steps: [
      'docker network rm bridge',
      'docker network rm host',
      'docker network create bridge',
      'docker network create --driver host $N',
      'docker network create --driver null $N',
      {
        run: "docker network ls --filter type=builtin --format '{{.Name}} {{.Driver}} {{.Scope}}'",
        sorted: true,
      },
      { run: 'docker network inspect bridge', json: true, ignore: ['Containers', 'IPAM', 'Options'] },
      { run: 'docker network inspect host none', json: true, ignore: ['Containers'] },
    ],
  },
  {
    name: 'network: names resolve between containers',
    steps: [
      {
        run: 'docker network create $N >/dev/null; docker run -d --name $N-web --network $N --network-alias web --network-alias $N-alias -h myhost busybox sh -c "echo dns > /var/www/index.html; httpd -f -h /var/www" >/dev/null; until docker exec $N-web wget -qO- 127.0.0.1 >/dev/null 2>&1; do sleep 0.1; done',
        setup: true,
      },
      'docker run --rm --network $N busybox wget -qO- http://$N-web/',
      'docker run --rm --network $N busybox wget -qO- http://web/',
      'docker run --rm --network $N busybox sh -c "nslookup web >/dev/null && echo found"',
      'docker run --rm --network $N busybox sh -c "nslookup nosuchname >/dev/null 2>&1 || echo missing"',
      'docker run --rm --network $N busybox grep -v "^#" /etc/resolv.conf | sed "s/ndots:0/<ndots>/"',
      'docker run --rm --network $N busybox sh -c "ip=$(docker inspect --format "{{(index .NetworkSettings.Networks \\"$N\\").IPAddress}}" $N-web); nslookup \\$ip 2>/dev/null | grep -o $N-web.$N | head -n 1"',
      'docker run --rm busybox sh -c "nslookup $N-web >/dev/null 2>&1 || echo unknown on the default bridge"',
      "docker inspect --format '{{json (index .NetworkSettings.Networks \"'$N'\").Aliases}}' $N-web",
      'docker network rm $N',
    ],
  },
  {
    name: 'network: the default resolv.conf is the host’s',
    steps: [
      'docker run --rm busybox cat /etc/resolv.conf',
      'docker run --rm --network none busybox cat /etc/resolv.conf',
      'docker run --rm --network host busybox cat /etc/resolv.conf',
      'docker run --rm --dns 9.9.9.9 --dns-search a.test --dns-search b.test --dns-option ndots:3 busybox cat /etc/resolv.conf',
      'docker run --rm --dns not-an-address busybox true',
    ],
  },
  {
    name: 'network: hosts file',
    steps: [
      'docker run --rm -h me busybox cat /etc/hosts',
      'docker run --rm -h me --add-host one:1.1.1.1 --add-host one:2.2.2.2 --add-host six:fd00::6 busybox cat /etc/hosts',
      'docker run --rm --network none -h me busybox cat /etc/hosts',
      'docker run --rm --add-host bad busybox true',
      'docker run --rm --add-host a:300.1.1.1 busybox true',
      { run: 'docker run --rm --add-host gw:host-gateway busybox grep gw /etc/hosts' },
      'docker run --rm busybox stat -c "%a %u:%g" /etc/hosts /etc/hostname /etc/resolv.conf',
    ],
  },
  {
    name: 'network: connect and disconnect',
    steps: [
      {
        run: 'docker network create $N >/dev/null; docker run -d --name $N busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker network connect --alias other --ip 1.2.3.4 $N $N',
      'docker network connect --alias other $N $N',
      'docker exec $N ls /sys/class/net | grep -E "^eth"',
      'docker network connect $N $N',
      {
        run: "docker inspect --format '{{json .NetworkSettings.Networks}}' $N",
        json: true,
        // An empty map or none.
        ignore: ['*.Aliases', '*.IPAMConfig', '*.DriverOpts'],
      },
      'docker network rm $N',
      { run: "docker network inspect --format '{{range .Containers}}{{.Name}}{{end}}' $N" },
      'docker network disconnect $N $N',
      'docker network disconnect $N $N',
      'docker network connect nosuchnetwork $N',
      'docker network connect $N nosuchcontainer',
      'docker network disconnect bridge $N; docker exec $N ls /sys/class/net | grep -c eth',
      'docker network disconnect -f $N nosuchcontainer',
      'docker network rm $N',
    ],
  },
  {
    name: 'network: none, host and another container’s',
    steps: [
      'docker run --rm --network none busybox ls /sys/class/net',
      'docker run --rm --network none busybox ip -o addr show lo | grep -o "inet6* [^ ]*"',
      'docker run --rm --network host busybox ls /sys/class/net | grep -c host0',
      'docker run --rm --network host busybox hostname | wc -l',
      { run: 'docker run -d --name $N -h shared busybox sleep 300 >/dev/null', setup: true },
      'docker run --rm --network container:$N busybox hostname',
      'docker exec $N readlink /proc/self/ns/net > a; docker run --rm --network container:$N busybox readlink /proc/self/ns/net > b; cmp a b && echo same',
      'docker run --rm --network container:nosuch busybox true',
      'docker run --rm --network container:$N -p 80 busybox true',
      'docker run --rm --network container:$N -h x busybox true',
      'docker run --rm --network host --network-alias x busybox true',
      'docker create --name $N-2 busybox >/dev/null; docker run --rm --network container:$N-2 busybox true',
      'docker network connect host $N',
      'docker network connect bridge $N',
      'docker run --rm --ip 172.17.0.99 busybox true',
    ],
  },
  {
    name: 'ports: published on every address',
    steps: [
      { run: server('-p 18311:80'), setup: true },
      fetch('http://127.0.0.1:18311/'),
      fetch('http://[::1]:18311/'),
      fetch('http://$HOST:18311/'),
      { run: 'docker port $N', sorted: true },
      "docker ps --filter name=$N --format '{{.Ports}}'",
      {
        run: "docker inspect --format '{{json .NetworkSettings.Ports}} {{json .HostConfig.PortBindings}}' $N",
        compare: ['code', 'stdout'],
      },
      'docker rm -f $N >/dev/null; net curl -s --max-time 20 http://127.0.0.1:18311/; echo $?',
      'net ss -ltn | grep -c 18311',
    ],
  },
  {
    name: 'ports: published on one address only',
    steps: [
      { run: server('-p 127.0.0.1:18321:80'), setup: true },
      fetch('http://127.0.0.1:18321/'),
      'net curl -s --max-time 20 http://$HOST:18321/; echo $?',
      'net curl -s --max-time 20 http://[::1]:18321/; echo $?',
      'docker port $N',
    ],
  },
  {
    name: 'ports: a taken port',
    steps: [
      { run: server('-p 18331:80'), setup: true },
      {
        run: 'docker run --name $N-2 -p 18331:80 busybox true',
        replace: [[/on endpoint \S+ \([0-9a-f]+\)/, 'on endpoint <endpoint>']],
      },
      "docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' $N-2 | cut -c1-12",
      'docker rm -f $N >/dev/null; docker start $N-2',
      'docker run --rm -p 18332:80 -p 18332:81 busybox true',
      'docker run --rm -p 70000:80 busybox true',
      'docker run --rm -p bad busybox true',
      'docker run --rm -p 80-82:90-91 busybox true',
      'docker run --rm -p 1.2.3.4.5:80:80 busybox true',
      {
        run: "net python3 -c \"import socket,time; s=socket.socket(); s.bind(('0.0.0.0',18333)); s.listen(); open('bound','w'); time.sleep(200)\" & p=$!; until [ -e bound ]; do sleep 0.1; done; docker run --rm -p 18333:80 busybox true 2>&1 | grep -oE 'address already in use|port is already allocated'; kill $p",
        differs: {
          reason: 'either wording names the port',
          stdout: /^(address already in use|port is already allocated)\n$/,
        },
      },
    ],
  },
  {
    name: 'ports: random, ranges and -P',
    steps: [
      'docker run -d --name $N -p 80 busybox sleep 300 >/dev/null; p=$(docker port $N 80 | head -n 1 | cut -d: -f2); [ $p -ge 32768 ] && echo random',
      'docker run -d --name $N-2 -P --expose 1000-1002 busybox sleep 300 >/dev/null; docker port $N-2 | grep -c 0.0.0.0',
      'docker run -d --name $N-3 -p 127.0.0.1:18341-18343:81-83 busybox sleep 300 >/dev/null; docker port $N-3 | sort',
      'docker run -d --name $N-4 -p 127.0.0.1:18341-18345:80 busybox sleep 300 >/dev/null; docker port $N-4',
      'docker restart -t 0 $N >/dev/null; docker port $N | wc -l',
    ],
  },
  {
    name: 'ports: forms',
    steps: [
      {
        run: "docker run -d --name $N -p 127.0.0.1:18391:80 -p 127.0.0.2:18391:80 -p '[::1]:18392:81' -p 18393:53/udp -p 18393:53 -p 18394-18395:90-91 busybox sleep 300 >/dev/null; docker port $N | sort",
      },
      "docker ps --filter name=$N --format '{{.Ports}}'",
      'docker port $N 53/udp; docker port $N 80; docker port $N 99; docker port $N 53/foo',
      "docker ps --filter publish=18391 --filter name=$N --format '{{.Names}}' | grep -c .",
      {
        run: 'docker run --rm -p 9.9.9.9:18396:80 busybox true',
        replace: [[/on endpoint \S+ \([0-9a-f]+\)/, 'on endpoint <endpoint>']],
      },
      'docker run --rm -p localhost:18396:80 busybox true',
      'docker run --rm -p 18396:80/icmp busybox true',
      'docker run --rm -p 18397-18396:80 busybox true',
      'docker run --rm -p 18396:65536 busybox true',
      'docker run --rm --network none -p 18396:80 busybox echo nothing',
      'docker run --rm --network host -p 18396:80 busybox echo nothing',
    ],
  },
  {
    name: 'ports: UDP',
    files: {
      'server.py':
        'import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(("0.0.0.0", 5000))\nopen(sys.argv[1], "w")\ns.settimeout(120)\nfor i in range(2):\n  d, a = s.recvfrom(99)\n  s.sendto(b"answer to " + d, a)\n',
      'client.py':
        'import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(30)\ns.sendto(b"question", (sys.argv[1], 18351))\nprint(s.recv(99).decode())\n',
    },
    steps: [
      // busybox has no UDP server, so one of the host's runs in the container's network namespace.
      {
        run: "docker run -d --name $N -p 18351:5000/udp busybox sleep 300 >/dev/null; p=$(docker inspect --format '{{.State.Pid}}' $N); daemon nsenter -t $p -n python3 $PWD/server.py $PWD/bound >/dev/null 2>&1 & until [ -e bound ]; do sleep 0.1; done",
        setup: true,
      },
      'net python3 client.py 127.0.0.1',
      'net python3 client.py $HOST',
      { run: 'docker port $N', sorted: true },
      "docker ps --filter name=$N --format '{{.Ports}}'",
    ],
  },
  {
    name: 'ports: from another container through the host',
    steps: [
      { run: server('-p 18361:80'), setup: true },
      'docker run --rm busybox timeout 30 wget -qO- http://$HOST:18361/',
      'docker exec $N timeout 30 wget -qO- http://$HOST:18361/',
    ],
  },
  {
    name: 'ports: answer again after a restart',
    steps: [
      { run: server('-p 18371:80'), setup: true },
      'docker restart -t 0 $N >/dev/null',
      fetch('http://127.0.0.1:18371/'),
      'docker stop -t 0 $N >/dev/null; net curl -s --max-time 20 http://127.0.0.1:18371/; echo $?; docker start $N >/dev/null',
      fetch('http://127.0.0.1:18371/'),
    ],
  },
  {
    name: 'network: isolation between networks',
    steps: [
      {
        run: 'docker network create $N-a >/dev/null; docker network create $N-b >/dev/null; docker run -d --name $N --network $N-a busybox sh -c "echo x > /var/www/index.html; httpd -f -h /var/www" >/dev/null; until docker exec $N wget -qO- 127.0.0.1 >/dev/null 2>&1; do sleep 0.1; done',
        setup: true,
      },
      "ip=$(docker inspect --format '{{(index .NetworkSettings.Networks \"'$N'-a\").IPAddress}}' $N); docker run --rm --init --network $N-a busybox timeout 30 wget -qO- http://$ip/; docker run --rm --init --network $N-b busybox timeout 2 wget -qO- http://$ip/ 2>/dev/null || echo unreachable; docker run --rm --init busybox timeout 2 wget -qO- http://$ip/ 2>/dev/null || echo unreachable",
    ],
  },
  {
    name: 'network: mac address, mtu and interface of a container',
    steps: [
      'docker run --rm --mac-address 02:00:00:00:00:99 busybox cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu',
      'docker run --rm --mac-address bogus busybox true',
      'docker run --rm busybox sh -c "ip route | cut -d\\  -f1-2,4-"',
      'docker run --rm busybox sh -c "ls /sys/class/net"',
      'docker run --rm busybox sh -c "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv4/ping_group_range"',
    ],
  },
  {
    name: 'network: old links',
    steps: [
      { run: 'docker run -d --name $N -e SECRET=1 busybox sleep 300 >/dev/null', setup: true },
      'docker run --rm --link $N:db busybox grep -cw db /etc/hosts',
      {
        run: 'docker run --rm --link $N:db busybox env | grep -E "^DB_(NAME|ENV_SECRET)" | sed "s,=/[^/]*/,=/<name>/,"',
        sorted: true,
      },
      'docker run --rm --link nosuchcontainer:x busybox true',
      'docker create --name $N-off busybox >/dev/null; docker run --name $N-2 --link $N-off:db busybox true',
      "docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' $N-2",
      'docker network create $N >/dev/null; docker run -d --name $N-on --network $N busybox sleep 300 >/dev/null; docker run --name $N-3 --link $N-on:db busybox true',
      'docker run --rm --network $N --link $N-off:db busybox true',
    ],
  },
  {
    name: 'network: one place, its addresses and way out',
    steps: [
      {
        run: 'docker network create --subnet 10.160.0.0/24 $N-v4 >/dev/null; docker network create --ipv6 --subnet 10.161.0.0/24 --subnet fd00:160::/64 $N-z >/dev/null; docker network create --internal --subnet 10.162.0.0/24 $N-in >/dev/null; docker run -d --name $N --network $N-v4 busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker exec $N ip route | grep -o "default via [^ ]*"',
      'docker network connect --ip 10.161.0.77 --ip6 fd00:160::77 --alias zed --link-local-ip 169.254.44.5 $N-z $N',
      'docker exec $N ip -o addr show eth1 | grep -v "inet6 fe80" | grep -o "inet6* [^ ]*" | sort',
      'docker exec $N ip route | grep -o "default via [^ ]*"; docker exec $N ip -6 route | grep -o "default via [^ ]*"',
      {
        run: "docker inspect --format '{{json (index .NetworkSettings.Networks \"'$N'-z\").IPAMConfig}}' $N",
        json: true,
      },
      'docker network connect --ip6 fd00:99::1 $N-in $N',
      'docker network connect $N-in $N; docker exec $N ip route | grep -c default',
      'docker network disconnect $N-z $N; docker exec $N ip route | grep -o "default via [^ ]*"; docker exec $N ip -6 route | grep -c "default via"',
      'docker network disconnect $N-v4 $N; docker exec $N ls /sys/class/net',
      'docker network disconnect -f $N-in $N; docker exec $N ls /sys/class/net',
    ],
  },
  {
    name: 'network: configurations of networks',
    steps: [
      {
        run: 'docker network create --config-only --subnet 10.170.0.0/24 --label a=b -o com.docker.network.bridge.enable_icc=false $N >/dev/null; docker network inspect $N',
        json: true,
      },
      'docker network create --config-from $N $N-2 >/dev/null; docker network inspect --format "{{.Driver}} {{.Labels}} {{.Options}} {{(index .IPAM.Config 0).Subnet}} {{.ConfigFrom.Network}} {{.ConfigOnly}}" $N-2',
      'docker network create --config-from nosuch $N-3',
      'docker network create --config-only --config-from $N $N-3',
      'docker network create --config-from $N --label c=d $N-3',
      'docker run --rm --network $N-2 --ip 10.170.0.9 busybox ip -4 -o addr show eth0 | grep -o "inet [^ ]*"',
      'docker network rm $N',
      'docker network rm $N-2 $N',
    ],
  },
  {
    name: 'network: macvlan',
    steps: [
      {
        run: 'net ip link add gtm0 type veth peer name gtm1; net ip link set gtm0 up; net ip link set gtm1 up',
        setup: true,
      },
      'docker network create -d macvlan -o parent=nosuch $N',
      'docker network create -d macvlan -o parent=lo $N',
      'docker network create -d macvlan -o parent=gtm0.5000 $N',
      'docker network create -d macvlan -o parent=gtm0.x $N',
      {
        run: 'docker network create -d macvlan -o parent=nosuch.5 $N',
        differs: {
          reason: 'newer versions have lost a word too many',
          stderr: /^Error response from daemon: -o parent interface was not found on the host: nosuch\n$/,
          code: 1,
        },
      },
      'docker network create -d macvlan -o parent=a.b.c $N',
      'docker network create -d macvlan -o macvlan_mode=bogus -o parent=gtm0 $N',
      'docker network create -d ipvlan -o ipvlan_mode=bogus -o parent=gtm0 $N',
      {
        run: 'docker network create -d macvlan -o parent=gtm0 --subnet 10.150.0.0/24 --gateway 10.150.0.254 $N >/dev/null; docker network inspect $N',
        json: true,
      },
      "docker network ls --filter driver=macvlan --filter name=$N --format '{{.Name}} {{.Driver}} {{.Scope}}'",
      'docker run --rm --network $N --ip 10.150.0.7 -p 18391:80 busybox sh -c \'ip -4 -o addr show eth0 | grep -o "inet [^ ]*"; ip route | sed "s/  */ /g"\'',
      'docker run -d --name $N --network $N --ip 10.150.0.8 busybox sleep 300 >/dev/null; docker run --rm --network $N busybox ping -c 1 -w 60 $N | grep -c "bytes from 10.150.0.8"',
      'docker network connect bridge $N; docker exec $N ip route | grep -o "default via 10.150\\|eth[0-9]" | sort -u',
      'docker network rm $N',
      'docker network disconnect $N $N; docker exec $N ls /sys/class/net',
      'docker network connect --ip 10.150.0.9 $N $N; docker exec $N ip -4 -o addr | grep -o "inet 10[^ ]*"',
      'docker rm -f $N; docker network rm $N; net ip -br link | grep -c "dm-\\|macvlan"; net ip link del gtm0',
    ],
  },
  {
    name: 'network: prune',
    alone: true,
    steps: [
      {
        run: 'docker network prune -f >/dev/null; docker network create $N >/dev/null; docker network create $N-used >/dev/null; docker run -d --name $N --network $N-used busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker network prune -f',
      "docker network ls --filter name=$N --format '{{.Name}}'",
    ],
  },
];
