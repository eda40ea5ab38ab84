import type { JsonObject } from '../../../src/domain/plan.ts';
import { checkAnswer, routeOf } from '../../kit/answer-check.ts';

/** Somebody who calls the manager. */
export interface Person {
  readonly name: string;
  readonly password: string;
  /** Whether nothing may come of whatever they ask for. */
  readonly isReader: boolean;
}

export interface Call {
  readonly person: Person;
  readonly tenant: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: JsonObject | undefined;
  /** Bytes instead of JSON. */
  readonly archive?: Buffer | undefined;
}

export interface Answer {
  /** 0 when none came. */
  readonly status: number;
  readonly body: JsonObject;
}

/** Milliseconds; the longest that the product itself makes a caller wait is two minutes. */
const limit = 150_000;
/** What a manager says when the database does not answer in time, as on a machine that is very busy. */
const passing = 'manager_unavailable';

/** Calls two REST processes in turn, counts their answers, and complains about those that should not be. */
export class Requests {
  readonly complaints: string[] = [];
  /** `METHOD /path/:id status code` -> how often. */
  readonly counts = new Map<string, number>();
  readonly #urls: readonly string[];
  readonly #isPatient: boolean;
  #turn = 0;

  /** @param isPatient whether a process may be away, so that calls may stay without an answer or get a 503 */
  constructor(urls: readonly string[], isPatient: boolean) {
    this.#urls = urls;
    this.#isPatient = isPatient;
  }

  /** Sends one call; never throws. */
  async send(call: Call): Promise<Answer> {
    const { method, path, tenant, person } = call;
    const url = this.#urls[(this.#turn += 1) % this.#urls.length] ?? '';
    const pair = Buffer.from(`${person.name}:${person.password}`).toString('base64');
    let status = 0;
    let text = '';
    try {
      const response = await fetch(`${url}/api/v3.1${path}`, {
        method,
        headers: {
          authorization: `Basic ${pair}`,
          tenant,
          'content-type': call.archive ? 'application/octet-stream' : 'application/json',
        },
        ...bodyOf(call),
        signal: AbortSignal.timeout(limit),
      });
      text = await response.text();
      status = response.status;
      this.#check(call, () => checkAnswer(method, path, response, text));
    } catch (error) {
      text = String((error as { cause?: unknown }).cause ?? error);
    }
    const body = status === 0 ? {} : parse(text);
    this.#judge(call, status, body, text);
    return { status, body };
  }

  /** All answers that came, and those that refused. */
  totals(): { answers: number; refusals: number } {
    const entries = [...this.counts].map(([key, count]) => ({ status: Number(key.split(' ')[2]), count }));
    const sum = (chosen: typeof entries): number => chosen.reduce((total, { count }) => total + count, 0);
    return { answers: sum(entries), refusals: sum(entries.filter(({ status }) => status >= 400)) };
  }

  #judge({ method, path, person }: Call, status: number, body: JsonObject, text: string): void {
    const code = body['error_code'];
    const route = routeOf(method, path)?.path ?? path;
    const key = `${method} ${route} ${status}${typeof code === 'string' ? ` ${code}` : ''}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    const isMissing = status === 0 || status >= 500;
    const isExcused = code === passing || (this.#isPatient && [0, 502, 503, 504].includes(status));
    if (isMissing && !isExcused) {
      this.complaints.push(`${method} ${path} as ${person.name}: ${status} ${text.slice(0, 400)}`);
    }
    if (person.isReader && method !== 'GET' && status >= 200 && status < 300) {
      this.complaints.push(`${method} ${path} was carried out for ${person.name}, who may only read`);
    }
  }

  #check({ method, path }: Call, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.complaints.push(`${method} ${path}: ${String(error).slice(0, 800)}`);
    }
  }
}

function bodyOf({ archive, body }: Call): { body: Uint8Array<ArrayBuffer> | string } | object {
  if (archive) {
    return { body: new Uint8Array(archive) };
  }
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

function parse(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}

/** A member of an answer that is a text; empty when it is none. */
export function textOf(body: JsonObject, name: string): string {
  const value = body[name];
  return typeof value === 'string' ? value : '';
}
