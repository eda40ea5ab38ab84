import type { EventRow } from '../../domain/entities.ts';
import type { ManagedLine } from '../../runtime/extensions/manager.ts';
import type { Database } from '../../store/database.ts';
import { tailEvents } from '../../store/events.ts';

const channel = 'gantry_events';
const pageSize = 500;

/** Follows the log of one execution. */
export interface LineFollower {
  /** Tells the lines that were stored until now, then no more. */
  finish(): Promise<void>;
}

/** Tells every new line of the log of an execution, as the database announces them. */
export async function followLines(
  database: Database,
  executionId: string,
  onLine: (line: ManagedLine) => void,
): Promise<LineFollower> {
  let cursor = await skipStored(database, executionId);
  let reading: Promise<void> | undefined;
  let isAsked = false;
  const read = async (): Promise<void> => {
    while (isAsked) {
      isAsked = false;
      for (;;) {
        const page = await tailEvents(database, { executionId }, cursor, pageSize);
        cursor = page.cursor;
        page.items.forEach((event) => onLine(lineOf(event)));
        if (page.items.length < pageSize) {
          break;
        }
      }
    }
  };
  const ask = (): Promise<void> => {
    isAsked = true;
    reading ??= read()
      // lines are a courtesy: they stand in the log of the other execution anyway
      .catch(() => undefined)
      .finally(() => (reading = undefined));
    return reading;
  };
  const unlisten = await database.listen(channel, (id) => {
    if (id === undefined || id === executionId) {
      void ask();
    }
  });
  return {
    async finish() {
      await unlisten();
      await reading;
      await ask();
    },
  };
}

/** Passes over what was stored before: an operation that is repeated has told it already. */
async function skipStored(database: Database, executionId: string): Promise<string | undefined> {
  let cursor: string | undefined;
  for (;;) {
    const page = await tailEvents(database, { executionId }, cursor, pageSize);
    cursor = page.cursor;
    if (page.items.length < pageSize) {
      return cursor;
    }
  }
}

function lineOf({ level, message }: EventRow): ManagedLine {
  return { level: level ?? 'info', message };
}
