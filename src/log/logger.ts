import { Writable } from 'node:stream';
import winston from 'winston';

/** Structured logging: a constant message and fields. `child` adds fields to everything a part of the program logs. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Logger;
}

export interface LoggerOptions {
  level: 'error' | 'warn' | 'info' | 'debug';
  format: 'json' | 'text';
  /** File to append to; standard error when absent. */
  file?: string;
}

const secretKey = /pass(word)?$|secret|token|authorization|cookie|credential|private_?key/i;

/** Replaces values whose name says that they are secret; a last net, code should not log them at all. */
export function redactFields(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  const redacted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (secretKey.test(key) && value !== undefined && value !== null) {
      redacted[key] = '***';
    } else if (value instanceof Error) {
      redacted[key] = { message: value.message, stack: value.stack };
    } else if (value !== null && typeof value === 'object' && !Array.isArray(value) && depth < 4) {
      redacted[key] = redactFields(value as Record<string, unknown>, depth + 1);
    } else {
      redacted[key] = value;
    }
  }
  return redacted;
}

const redact = winston.format((info) => {
  const { level, message, timestamp, ...fields } = info;
  const redacted = redactFields(fields);
  // winston reads its own symbol keys from the object, so it is changed in place
  for (const key of Object.keys(fields)) {
    info[key] = redacted[key];
  }
  info.level = level;
  info.message = message;
  info['timestamp'] = timestamp;
  return info;
});

const textLine = winston.format.printf(({ level, message, timestamp, ...fields }) => {
  const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
  return `${String(timestamp)} ${level.padEnd(5)} ${String(message)}${rest}`;
});

/** Lines that are kept in memory for log bundles, which may be stored where only administrators can read them. */
const mostRecentLines = 2000;
const recent = new WeakMap<Logger, string[]>();

/** The last lines a logger wrote, oldest first. */
export function recentLines(log: Logger): readonly string[] {
  return recent.get(log) ?? [];
}

function keepLines(lines: string[]): winston.transport {
  return new winston.transports.Stream({
    stream: new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, done) => {
        lines.push(line);
        if (lines.length > mostRecentLines * 2) {
          lines.splice(0, mostRecentLines);
        }
        done();
      },
    }),
  });
}

/** Makes the program's logger. */
export function makeLogger(options: LoggerOptions): Logger {
  const { combine, timestamp, json } = winston.format;
  const transport = options.file
    ? new winston.transports.File({ filename: options.file, maxsize: 50 * 1024 * 1024, maxFiles: 5, tailable: true })
    : new winston.transports.Stream({ stream: process.stderr });
  const lines: string[] = [];
  const log = winston.createLogger({
    level: options.level,
    format: combine(timestamp(), redact(), options.format === 'json' ? json() : textLine),
    transports: [transport, keepLines(lines)],
  });
  recent.set(log, lines);
  return log;
}

/** A logger that drops everything, for tests and tools. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
