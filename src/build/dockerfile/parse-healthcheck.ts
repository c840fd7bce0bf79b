import { EngineError } from '../../stdx/errors.ts';
import { parseGoDuration } from '../../stdx/go-duration.ts';
import type { HealthcheckInstruction } from './instructions.ts';
import { type InstructionText, parseCommand } from './parse-instruction.ts';

export function parseHealthcheck({ rest, flags }: InstructionText): HealthcheckInstruction {
  const times = {
    intervalNs: duration(flags.text('interval'), 'interval'),
    timeoutNs: duration(flags.text('timeout'), 'timeout'),
    startPeriodNs: duration(flags.text('start-period'), 'start-period'),
    startIntervalNs: duration(flags.text('start-interval'), 'start-interval'),
    retries: retries(flags.text('retries')),
  };
  const [, word = '', after = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest) ?? [];
  const type = word.toUpperCase();
  if (type === '') throw new EngineError('invalid', 'HEALTHCHECK requires at least one argument');
  if (type === 'NONE') {
    if (after !== '') throw new EngineError('invalid', 'HEALTHCHECK NONE takes no arguments');
    return { kind: 'HEALTHCHECK', test: ['NONE'], ...times };
  }
  if (type !== 'CMD') throw new EngineError('invalid', `Unknown type "${type}" in HEALTHCHECK (try CMD)`);
  const command = parseCommand(after);
  if (command.args.length === 0) throw new EngineError('invalid', 'Missing command after HEALTHCHECK CMD');
  const test = [command.shell ? 'CMD-SHELL' : 'CMD', ...command.args];
  return { kind: 'HEALTHCHECK', test, ...times };
}

const millisecondNs = 1e6;

function duration(text: string | undefined, name: string): number {
  if (text === undefined || text === '') return 0;
  const valueNs = parseGoDuration(text);
  if (valueNs < 0 || (valueNs > 0 && valueNs < millisecondNs))
    throw new EngineError('invalid', `Interval "${name}" cannot be less than 1ms`);
  return valueNs;
}

function retries(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^[+-]?\d{1,9}$/.test(text))
    throw new EngineError('invalid', `strconv.ParseInt: parsing "${text}": invalid syntax`);
  if (Number(text) < 0) throw new EngineError('invalid', `--retries cannot be negative (${text})`);
  return Number(text);
}
