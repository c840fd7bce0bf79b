import assert from 'node:assert/strict';
import test from 'node:test';
import { Template } from './template.ts';
import { goType } from './values.ts';

// What Go prints, checked against the docker client where its objects allow it.
const data = {
  Id: 'abc',
  Name: '/web',
  Args: ['one', 'two', 'three'],
  Config: { Env: ['A=1', 'B=2'], Labels: { zebra: 'z', app: 'web' }, Tty: false },
  State: { Running: true, ExitCode: 0, Pid: 4711 },
  Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
};

const cases: [string, string][] = [
  ['{{.Id}}', 'abc'],
  ['a{{- /* gone */ -}} b', 'ab'],
  ['x {{- .Id -}} y', 'xabcy'],
  ['{{.Args}}', '[one two three]'],
  ['{{.Config.Labels}}', 'map[app:web zebra:z]'],
  ['{{json .Config.Labels}}', '{"zebra":"z","app":"web"}'],
  ['{{range .Args}}<{{.}}>{{end}}', '<one><two><three>'],
  ['{{range $i, $e := .Args}}{{$i}}={{$e}},{{end}}', '0=one,1=two,2=three,'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}} {{end}}', 'app:web zebra:z '],
  ['{{range .Missing}}x{{else}}none{{end}}', 'none'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .Config.Tty}}tty{{else if eq .State.ExitCode 0}}zero{{else}}other{{end}}', 'zero'],
  ['{{with .Config}}{{len .Env}}{{end}}', '2'],
  ['{{index .Args 1}}', 'two'],
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
  ['{{index .Config.Labels "app"}}', 'web'],
  ['{{join (split "one-two-three" "-") ", "}}', 'one, two, three'],
  ['{{split .Name "e" | len}}', '2'],
  ['{{.Name | upper | printf "%q"}}', '"/WEB"'],
  ['{{title "hello world"}} {{lower "ABC"}}', 'Hello World abc'],
  ['{{printf "%s=%05d|%-6s|%6.2f" .Id .State.Pid "x" 1.5}}', 'abc=04711|x     |  1.50'],
  ['{{println .Id .State.Pid}}', 'abc 4711\n'],
  ['{{print 1 2 "a" "b" 3}}', '1 2a b3'.replace('a b', 'ab')],
  ['{{$x := .Id}}{{range .Args}}{{$x}}{{end}}', 'abcabcabc'],
  ['{{$n := 0}}{{range .Args}}{{$n = len .}}{{end}}{{$n}}', '5'],
  ['{{and .Id .Name}} {{or "" .Id}} {{not true}}', '/web abc false'],
  [
    '{{eq .Id "x" "abc"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}}',
    'true true true true false false',
  ],
  ['{{range .Args}}{{if eq . "two"}}{{break}}{{end}}{{.}}{{end}}', 'one'],
  ['{{range .Args}}{{if eq . "two"}}{{continue}}{{end}}{{.}}{{end}}', 'onethree'],
  ['{{pad "x" 1 2}}|{{truncate .Name 3}}|{{slice .Id 1 2}}', ' x  |/we|b'],
  ['{{define "t"}}[{{.}}]{{end}}{{template "t" .Id}}', '[abc]'],
  ['{{$.Id}}{{with .State}}{{$.Name}}{{end}}', 'abc/web'],
  ['{{html "<a>"}}{{`raw\\n`}}{{"esc\\t"}}', '&lt;a&gt;raw\\nesc\t'],
  ['{{.Missing}}', '<no value>'],
];

for (const [source, expected] of cases) {
  test(`template ${source}`, () => {
    assert.equal(new Template(source).run(data), expected);
  });
}

const failures: [string, string][] = [
  ['{{.Foo}}', 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
  ['{{.Config.Foo}}', 'template: :1:9: executing "" at <.Config.Foo>: map has no entry for key "Foo"'],
  ['{{.ID', 'template: :1: unclosed action'],
  ['{{foo}}', 'template: :1: function "foo" not defined'],
  ['{{$x}}', 'template: :1: undefined variable "$x"'],
  ['{{if .Id}}', 'template: :1: unexpected EOF'],
  ['{{end}}', 'template: :1: unexpected {{end}}'],
  ['{{}}', 'template: :1: missing value for command'],
];

for (const [source, message] of failures) {
  test(`template ${source} fails`, () => {
    assert.throws(() => new Template(source).run(data, { missingKey: 'error' }), { message });
  });
}

test('structs have methods, refuse unknown fields and become sorted JSON', () => {
  const row = {
    [goType]: '*formatter.ContainerContext',
    Names: () => 'web',
    Label: (name: string) => `<${name}>`,
    ID: () => 'abc',
  };
  assert.equal(
    new Template('{{.Names}} {{.Label "x"}} {{json .}}').run(row),
    'web <x> {"ID":"abc","Names":"web"}',
  );
  assert.throws(() => new Template('{{.Foo}}').run(row), {
    message: `template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext`,
  });
});
