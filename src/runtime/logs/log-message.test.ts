import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogRecords } from './log-format.ts';
import { LineAssembler, type LogMessage, utcTime } from './log-message.ts';

const time = '2026-11-21T05:12:33.120000000+00:00';

function assemble(assembler: LineAssembler, log: string, offset = 0): LogMessage[] {
  const { records } = parseLogRecords(Buffer.from(log));
  const messages: LogMessage[] = [];
  assembler.push(records, { segment: 1, offset }, messages);
  return messages;
}

const shown = (messages: LogMessage[]) =>
  messages.map(({ stream, line, partial, settled }) => [
    stream,
    line.toString(),
    partial === undefined ? '' : `${partial.id}.${partial.ordinal}${partial.last ? '!' : ''}`,
    settled,
  ]);

test('a line written in pieces is one message, and holds back the place up to which all is settled', () => {
  const log = `${time} stdout P he\n${time} stderr F other\n${time} stdout F llo\n${time} stdout F \n`;
  assert.deepEqual(shown(assemble(new LineAssembler(), log)), [
    ['stderr', 'other', '', false],
    ['stdout', 'hello', '', true],
    ['stdout', '', '', true],
  ]);
});

test('a line longer than the receiver takes comes in parts', () => {
  const log = `${time} stdout P abcd\n${time} stdout P efgh\n${time} stdout F ij\n`;
  assert.deepEqual(shown(assemble(new LineAssembler(5), log)), [
    ['stdout', 'abcde', '1.1', false],
    ['stdout', 'fghij', '1.2!', true],
  ]);
});

test('the end of a container ends a line', () => {
  const assembler = new LineAssembler();
  const messages = assemble(assembler, `${time} stdout P prompt> \n`);
  assert.deepEqual(shown(messages), []);
  assembler.flush({ segment: 1, offset: 54 }, messages);
  assert.deepEqual(shown(messages), [['stdout', 'prompt> ', '1.1', true]]);
});

test('the beginning of a line is not waited for without end', () => {
  const assembler = new LineAssembler();
  assert.deepEqual(shown(assemble(assembler, `${time} stdout P prompt> \n`)), []);
  const much = `${time} stderr F ${'x'.repeat(1000)}\n`.repeat(300);
  const messages = assemble(assembler, much, 60);
  assert.equal(messages.length, 301);
  assert.equal(messages.at(-1)!.settled, true);
});

test('places are those behind the records', () => {
  const log = `${time} stdout F one\n${time} stdout P two\n${time} stdout F \n`;
  const messages = assemble(new LineAssembler(), log, 100);
  assert.deepEqual(
    messages.map(({ end }) => end.offset),
    [100 + log.indexOf('\n') + 1, 100 + log.length],
  );
});

test('times are UTC without needless digits', () => {
  const of = (text: string) => utcTime({ time: text } as LogMessage);
  assert.equal(of('2026-11-21T05:12:33.120000000+00:00'), '2026-11-21T05:12:33.12Z');
  assert.equal(of('2026-11-21T05:12:33.000000000+00:00'), '2026-11-21T05:12:33Z');
  assert.equal(of('2026-11-21T05:12:33.123456789+02:00'), '2026-11-21T03:12:33.123456789Z');
});
