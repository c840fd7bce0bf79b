import assert from 'node:assert/strict';
import test from 'node:test';
import { type ListLayout, renderList } from './list.ts';
import { describePorts } from './ports.ts';
import { ellipsis } from './table.ts';

const layout: ListLayout<{ id: string; name: string }> = {
  typeName: '*formatter.ThingContext',
  headers: { ID: 'THING ID', Name: 'NAME' },
  columns: ['ID', 'Name'],
  quietField: 'ID',
  row: ({ id, name }) => ({ ID: id, Name: () => name, Label: (key: string) => `<${key}>` }),
};
const things = [
  { id: '0123456789ab', name: 'web' },
  { id: 'a', name: 'x>y' },
];

test('the usual table', () => {
  assert.equal(
    renderList(layout, things, {}),
    'THING ID       NAME\n0123456789ab   web\na              x>y\n',
  );
});

test('quiet, json and templates', () => {
  assert.equal(renderList(layout, things, { quiet: true }), '0123456789ab\na\n');
  assert.equal(renderList(layout, things.slice(1), { format: 'json' }), '{"ID":"a","Name":"x\\u003ey"}\n');
  assert.equal(renderList(layout, things, { format: '{{.Name}} {{.Label "k"}}' }), 'web <k>\nx>y <k>\n');
});

test('a table by template has headers that functions do not change', () => {
  const table = renderList(layout, things, {
    format: 'table {{.Name}}\\t{{upper .ID}}\\t{{.Label "com.a-b"}}',
  });
  assert.equal(
    table,
    'NAME      THING ID       a b\nweb       0123456789AB   <com.a-b>\nx>y       A              <com.a-b>\n',
  );
});

test('faults name the template and the type', () => {
  assert.throws(() => renderList(layout, things, { format: '{{.ID' }), {
    message: 'template parsing error: template: :1: unclosed action',
  });
  assert.throws(() => renderList(layout, things, { format: '{{.Foo}}' }), {
    message: `template parsing error: template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.ThingContext`,
  });
});

test('ports: ranges, mappings, both families', () => {
  const published = (IP: string, port: number, Type = 'tcp') => ({
    IP,
    PrivatePort: port,
    PublicPort: port,
    Type,
  });
  const ports = [
    ...['0.0.0.0', '::'].flatMap(ip => [9000, 9001, 9002].map(port => published(ip, port))),
    { PrivatePort: 77, Type: 'tcp' },
    published('0.0.0.0', 53, 'udp'),
  ];
  assert.equal(
    describePorts(ports),
    '0.0.0.0:53->53/udp, 77/tcp, 0.0.0.0:9000-9002->9000-9002/tcp, [::]:9000-9002->9000-9002/tcp',
  );
  assert.equal(
    describePorts([{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }]),
    '0.0.0.0:8080->80/tcp',
  );
});

test('an ellipsis takes the last place', () => {
  assert.equal(ellipsis('abcdef', 4), 'abc…');
  assert.equal(ellipsis('abcd', 4), 'abcd');
});
