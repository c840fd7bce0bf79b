/** A Dockerfile and its context, made of a number. */
export interface RandomCase {
  dockerfile: string;
  ignore: string;
  prepare: string;
  args: string[];
}

export function randomCase(seed: number): RandomCase {
  return new Grammar(seed).case();
}

const parentsToo = false;
const files = ['a.txt', 'b.txt', 'c.md', '.hid', "'sp ace'", 'x1', 'd/e/f.txt', 'd/g.txt', 'd/.h', 'd/e/k.md', 'p/q', "'[b]'", 's*r', 'ünï'];

class Grammar {
  #state: number;
  #n = 0;
  #stages: string[] = [];
  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0 || 1;
    for (let i = 0; i < 5; i++) this.#next();
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  #chance(p: number): boolean {
    return this.#next() < p;
  }
  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#next() * of.length)]!;
  }
  #some<T>(of: readonly T[], most: number): T[] {
    return Array.from({ length: 1 + Math.floor(this.#next() * most) }, () => this.#pick(of));
  }

  case(): RandomCase {
    const lines: string[] = [];
    if (this.#chance(0.15)) lines.push(this.#pick(['# escape=`', '# check=skip=all', '# just a comment']));
    const escape = lines[0]?.includes('`') ? '`' : '\\';
    for (let i = 0; i < Math.floor(this.#next() * 3); i++) lines.push(`ARG ${this.#pick(['G1', 'G2=two', 'G3=$G2-x', 'BASE=busybox', 'G4="q u"', 'G5=${G2:+alt}', 'G6'])}`);
    const stages = 1 + Math.floor(this.#next() * 3);
    for (let i = 0; i < stages; i++) {
      lines.push(this.#from(i, lines));
      const many = 2 + Math.floor(this.#next() * 7);
      for (let j = 0; j < many; j++) lines.push(...this.#instruction());
    }
    lines.push('RUN env | sort | grep -v ^HOSTNAME > /env.end; pwd >> /env.end; id >> /env.end || true');
    let text = lines.join('\n');
    if (escape === '`') text = text.replaceAll('\\\n', '`\n');
    const args: string[] = [];
    if (this.#chance(0.3)) args.push('--build-arg', this.#pick(['A=fromflag', 'G2=flag', 'B=$A', 'HTTP_PROXY=http://p', 'FOO=', 'G1=q']));
    if (this.#chance(0.1)) args.push('--label', 'l=flag');
    if (this.#chance(0.15) && this.#stages.length > 0) args.push('--target', this.#pick(this.#stages));
    if (this.#chance(0.1)) args.push('--network', 'none');
    return { dockerfile: `${text}\n`, ignore: this.#ignore(), prepare: this.#prepare(), args };
  }

  #from(index: number, lines: string[]): string {
    const bases = ['busybox', 'busybox', 'busybox:latest', 'scratch', ...this.#stages];
    if (lines.some(line => line.startsWith('ARG BASE'))) bases.push('$BASE', '${BASE}', '${BASE:-x}');
    let base = this.#pick(bases);
    if (base === 'scratch' && index > 0) base = 'busybox';
    const name = this.#pick(['s', 'build', 'T', 'x.y', 'a-b']) + index;
    const as = this.#chance(0.7) ? ` ${this.#pick(['AS', 'as', 'As'])} ${name}` : '';
    if (as) this.#stages.push(name.toLowerCase());
    if (base === 'scratch') return `FROM busybox${as}`;
    return `FROM ${base}${as}`;
  }

  #word(): string {
    return this.#pick(['x', 'one', 'a b', '$A', '${B:-def}', '${A:+alt}', '"q $A"', "'s $A'", 'e\\ s', '\\$A', '${U:-${B}}', '${A#f}', '${A%g}', '${A/o/0}', '${A//o/0}', '${A##*m}', 'a=b', '"\\""', '""', "''", 'ü', '$$', '${A}x$B', "'a'\"b\"", '#h', '${U-none}', '${B+set}', 'C:\\\\x', '${A%%[a-m]*}', '${#A}', '~', '*', '${A:-"q"}', "${A:-'q'}"]);
  }
  #simple(): string {
    return this.#pick(['x', 'one', '$A', '${B:-def}', '${A:+alt}', '"q $A"', "'s $A'", 'e\\ s', '\\$A', '${A#f}', '${A%g}', '${A/o/0}', '""', 'ü', '${A}x$B', "'a'\"b\"", '${U-none}', 'C:\\\\x', '"l\\\nm"']);
  }
  #dest(): string {
    return this.#pick(['/', '/x/', '/x/y', '/x/y/', './', '.', 'rel', 'rel/', '/x/../z/', '/l/', '/l/in', '/l', '"/sp ace/"', '/$A/', '/d', '/d/', '/x//y//z/', '~', '/x/.', '/abs/', '/up/k/']);
  }
  #source(): string {
    return this.#pick(['a.txt', 'b.txt', '*.txt', '?.txt', 'd', 'd/', 'd/*', 'd/e', '.', './', '/', '*', 'd/**', '**/*.txt', 'l1', 'dl', 'dl/', 'dl/*', 'd/e/../g.txt', './a.txt', '/a.txt', '[ab].txt', 'x[12]', 'p', 'p/q', '.hid', 'hard*', 'su', 'priv', 'd/.h', 'a.tx[a-z]', 'd/e/', '../a.txt', 'none*', 'mod', 'd/.', 'd/./e', '*/*', 'dl/e/f.txt', '$F', 'a.*']);
  }
  #chown(): string {
    return this.#pick(['1000', '1000:50', 'root', 'root:root', '0:7', ':9', '$A0', '65534:0', '1:']);
  }
  #chmod(): string {
    return this.#pick(['755', '0644', '4755', 'u+x', 'a=r', 'u=rwX,go=rX', 'go-rwx', '+x', 'g+s', '1777', 'a+X', 'u=g', '=', '0', 'o=u-w', 'u+s,g-w', '-x', '+t', '7777', '00644']);
  }

  #copy(name: 'COPY' | 'ADD'): string[] {
    const flags: string[] = [];
    if (this.#chance(0.25)) flags.push(`--chown=${this.#chown()}`);
    if (this.#chance(0.25)) flags.push(`--chmod=${this.#chmod()}`);
    if (this.#chance(0.15)) flags.push(this.#pick(['--link', '--link=true', '--link=false']));
    if (parentsToo && name === 'COPY' && this.#chance(0.12)) flags.push('--parents');
    if (this.#chance(0.12)) for (const p of this.#some(['d/e', '*.md', '**/f.txt', 'g.txt', 'e', '**', 'd', '*', '!d/g.txt', 'd/.h', 'e/k.md', '.*', '/d', 'd/e/'], 2)) flags.push(`--exclude=${p}`);
    const n = this.#n++;
    if (this.#chance(0.12)) {
      const marker = this.#pick(['EOF', '"EOF"', '-EOF', 'f.sh', "'E'"]);
      const end = marker.replace(/["'-]/g, '');
      return [`${name} ${flags.filter(f => !f.includes('exclude') && !f.includes('parents')).join(' ')} <<${marker} /h${n}${this.#pick(['', '/'])}`, `line $A \${B:-b}`, `\ttab \\$A "q" \\`, end];
    }
    if (name === 'COPY' && this.#chance(0.25) && this.#stages.length > 0) flags.push(`--from=${this.#pick([...this.#stages, '0', 'busybox'])}`);
    const from = flags.some(f => f.startsWith('--from='));
    const source = (): string => (from ? this.#pick(['/etc/passwd', '/etc', '/x', '/x/', '/h*', '/env*', 'etc/group', '/bin/busybo?', '/home', '/d', '/l', '/r*', '/w']) : this.#source());
    const sources = this.#chance(0.7) ? [source()] : [source(), source()];
    const dest = sources.length > 1 && this.#chance(0.8) ? `${this.#dest().replace(/[/"]*$/, '').replace(/^"/, '') || ''}/` : this.#dest();
    if (name === 'ADD' && this.#chance(0.3)) sources[0] = this.#pick(['t.tar', 't.tgz', 't*', 'bad.tar']);
    if (this.#chance(0.15) && !dest.startsWith('"')) return [`${name} ${[...flags, JSON.stringify([...sources, dest])].join(' ')}`];
    return [`${name} ${[...flags, ...sources, dest.includes('sp ace') && !dest.startsWith('"') ? '/spc/' : dest].join(' ')}`];
  }

  #instruction(): string[] {
    const n = this.#n++;
    const kind = this.#pick(['copy', 'copy', 'copy', 'copy', 'copy', 'add', 'env', 'env', 'arg', 'arg', 'run', 'run', 'workdir', 'workdir', 'user', 'label', 'misc', 'misc', 'onbuild', 'mount', 'odd', 'prep']);
    if (kind === 'copy') return this.#copy('COPY');
    if (kind === 'add') return this.#copy('ADD');
    if (kind === 'env') return [this.#chance(0.25) ? `ENV ${this.#pick(['A', 'B', 'E'])} ${this.#word()} ${this.#word()}` : `ENV ${this.#some(['A', 'B', 'FOO', 'A_1', 'F'], 3).map(k => `${k}=${this.#simple()}`).join(this.#pick([' ', ' \\\n  ', ' \\\n# c\n\n ']))}`];
    if (kind === 'arg') return [`ARG ${this.#some(['A', 'http_proxy',  'B=b', 'G1', 'G2', 'G3', 'C=$A', 'A=over', 'D="x y"', 'TARGETARCH', 'HTTP_PROXY', 'E=${A:-z}', 'BASE', 'U'], 2).join(' ')}`];
    if (kind === 'run') return this.#run(n);
    if (kind === 'workdir') return [`WORKDIR ${this.#pick(['/w', 'rel', '/l/deep', '$A', '/x/${B:-b}', '"/sp ace"', '/up/k', './', '..', '/w/', '/lf', '/abs/n'])}`];
    if (kind === 'user') return [`USER ${this.#pick(['root', '0', '1000', 'nobody', '1000:1000', 'root', '0:0', '${U:-0}', '12:'])}`];
    if (kind === 'label') return [`LABEL ${this.#pick(['a=b', 'a="b c" d=e', `k=${this.#simple()}`, 'a b c', '"q k"=v', 'a.b/c=1 \\\n x=2', "s='$A'", `m=${this.#simple()} n=${this.#simple()}`])}`];
    if (kind === 'misc')
      return [this.#pick([
        'EXPOSE 80', 'EXPOSE 80/udp 90-92', 'EXPOSE ${P:-8080}', 'EXPOSE 80/tcp 80', 'VOLUME /v', 'VOLUME ["/v","/v2"]', 'VOLUME /v /x', 'VOLUME $A/v', 'CMD echo $A', 'CMD ["a","b"]', 'CMD ["a", "$A"]', 'CMD', 'CMD []', 'ENTRYPOINT ["e"]', 'ENTRYPOINT e f', 'ENTRYPOINT []', 'STOPSIGNAL SIGTERM', 'STOPSIGNAL 9', 'STOPSIGNAL ${S:-SIGINT}', 'HEALTHCHECK NONE', 'HEALTHCHECK --interval=5s --retries=2 CMD true', 'HEALTHCHECK --start-period=1m --start-interval=2s CMD ["a","b"]', 'SHELL ["/bin/sh","-c"]', 'SHELL ["/bin/sh","-x","-c"]', 'SHELL ["/bin/busybox","sh","-ec"]', 'MAINTAINER me <m@x>', 'MAINTAINER $A', 'EXPOSE 80-82/sctp', "CMD ['a']", 'expose 81', 'cmd x \\\n y', 'HEALTHCHECK --timeout=0s CMD x', 'EXPOSE 0', 'EXPOSE 127.0.0.1:80:80', 'STOPSIGNAL foo', 'SHELL []', 'ENTRYPOINT [ "a" , "b" ] ', 'CMD ["a"] # c', 'VOLUME [""]', 'VOLUME ["/v", ""]',
      ])];
    if (kind === 'onbuild') return [`ONBUILD ${this.#pick(['RUN echo on > /on', 'COPY a.txt /on/', 'ENV O=$A', 'LABEL o=b', 'WORKDIR /onw', 'ARG OB=1', 'ADD d /ond', 'USER 1000', 'COPY --from=busybox /etc/passwd /onp', 'EXPOSE 1', 'RUN ["echo","x"]', 'run echo $A > /on2', 'RUN <<EOF\necho hi > /on3\nEOF'])}`];
    if (kind === 'mount')
      return [`RUN ${this.#some(['--mount=target=/m', '--mount=type=bind,source=d,target=/m', '--mount=type=cache,target=/c', '--mount=type=tmpfs,target=/t', '--mount=type=bind,from=busybox,source=/etc,target=/m', '--mount=type=cache,target=/c,id=k,mode=700,uid=5', '--mount=type=bind,target=m,rw', '--mount=type=secret,id=none,target=/s', '--mount=type=tmpfs,target=/t,size=1m', '--network=none', '--mount=type=bind,source=a.txt,target=/m', '--mount=type=cache,target=$A', '--mount=type=bind,src=dl,dst=/m', '--mount=type=cache,target=rel/c', '--mount=type=bind,source=d/e/../g.txt,target=/m', '--mount=type=cache,dst=/c,sharing=locked,ro', '--mount=type=bind,source=none,target=/m'], 2).join(' ')} (find /m m /c /t -xdev 2>/dev/null | sort; stat -c '%a %u:%g %n' /m /m/* /c /t 2>/dev/null; true) > /r${n}`];
    if (kind === 'prep')
      return [`RUN ${this.#pick(['mkdir -p /real /w; ln -s /real /l; ln -s ../../real /w/up', 'ln -s /nowhere/x /l', 'mkdir -p /d && echo d > /d/old && chmod 700 /d', 'rm -rf /x; echo f > /x', 'mkdir -p /x/y/z && echo o > /x/y/z/o', 'echo file > /lf; ln -s lf /abs', 'mkdir /real2; ln -s ../../../real2 /up', 'rm -rf /etc/group', 'chown -R 1000:1000 /home; chmod 2777 /home', 'rm -rf /home; mkdir /home', 'mkdir -p /a/b/c; rm -rf /a; mkdir /a', 'ln /etc/passwd /pw2', 'mv /home /home2'])} ; true`];
    return this.#pick([['# comment'], [''], ['  # indented comment'], ['\t'], ['RUN echo a \\', '  # c', '  && echo b > /od' + n], ['RUN echo one; \\', '', '  echo two > /od' + n], ['copy a.txt /lower/'], ['  LABEL indented=1'], ['ENV LONG=\\', 'v'], ['RUN echo "a\\\nb" > /od' + n], ['RUN echo \\', '\\', 'x > /od' + n], ['LABEL a="multi \\', '  line"'], ['RUN echo a#b > /od' + n + ' # c']]);
  }

  #run(n: number): string[] {
    return this.#pick([
      [`RUN echo "$A|$B|$FOO|$G2|\${U:-u}" > /r${n}`],
      [`RUN ["sh","-c","echo $A > /r${n}"]`],
      ['RUN <<EOF', `echo h $A > /r${n}`, `pwd >> /r${n}`, 'EOF'],
      ['RUN <<-"EOF"', `\techo h $A > /r${n}`, '\tEOF'],
      [`RUN cat <<A > /r${n} && cat <<'B' >> /r${n}`, 'first $A', 'A', 'second $A', 'B'],
      ['RUN <<EOF', '#!/bin/sh', `echo bang $0 > /r${n}; true`, 'EOF'].map(line => line.replace('$0', '')),
      [`RUN touch x${n} && mkdir -p y${n}/z && chmod 1777 y${n} && ln -s x${n} z${n}`],
      [`RUN id > /tmp/r${n} 2>&1; umask >> /tmp/r${n}; ls -la . | grep -v docker | awk '{print $1,$3,$4,$9}' >> /tmp/r${n}; true`],
      [`RUN echo $PWD $HOME $PATH > /r${n}`],
      [`RUN cat 3<<X 0<&3 > /r${n}`, 'thr \\', 'ee \\$A', 'X'],
      [`RUN set -e; \\`, `  for i in 1 2; do \\`, `    echo $i; \\`, `  done > /r${n}`],
      [`RUN printf '%s\\n' "\\$A" '$B' \\`, `  "$A" > /r${n}`],
      [`run mount | grep -c . > /dev/null; cat /proc/self/status | grep -E '^(Cap|NoNew|Seccomp:)' > /dev/null; ls /dev | sort > /dev/null; true`],
    ]);
  }

  #ignore(): string {
    if (this.#chance(0.5)) return '';
    return `${this.#some(['*.md', 'd/e', '!d/e/k.md', '**/f.txt', '*', '!a.txt', '!d', 'd/*', '# c', '', '/b.txt', './x1', 'd/../p', '!*.txt', '**', '!**/*.txt', ' a.txt ', 'dl', 'l1', '.hid', '.*', '[ab].txt', 'd/', '!d/e/', '**/e', 'Dockerfile', '.dockerignore', 'p/**', '!p/q', '*/g.txt', '?.txt', '\\!x', 'd/**/k.md', '**/.h', '!', '/', '..', 'a**', 'a**'], 5).join('\n')}\n`;
  }

  #prepare(): string {
    const lines = ['mkdir -p d/e p priv mod'];
    for (const file of files) if (this.#chance(0.93)) lines.push(`echo ${this.#chance(0.9) ? `content-of-${file.replace(/\W/g, '')}` : ''} > ${file.includes('*') ? `'${file}'` : file}`);
    lines.push('ln -s a.txt l1; ln -s d dl; ln -s nowhere broken; ln -s /etc/passwd absl; echo h > hard1; ln hard1 hard2; ln hard1 d/hard3');
    lines.push('echo su > su; chmod 4755 su; echo x > priv/f; chmod 600 priv/f; chmod 700 priv; chown -R 1000:1000 priv; echo m > mod/m; chmod 2775 mod; chmod 1777 p; ln -s ../a.txt d/up; ln -s e d/el');
    if (this.#chance(0.1)) lines.push('mkfifo fifo');
    lines.push('mkdir T; mkdir -p T/x T/etc; echo t > T/x/t; chmod 750 T/x; chown 1000:7 T/x/t; ln -s x/t T/tl; ln T/x/t T/th; echo e > T/etc/ext; find T -exec touch -h -d @1600000000 {} +; tar --sort=name --numeric-owner -C T -cf t.tar .; gzip -nc t.tar > t.tgz; rm -r T; echo no > bad.tar');
    return lines.join('\n');
  }
}
