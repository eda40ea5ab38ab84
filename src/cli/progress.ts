import cliProgress from 'cli-progress';
import { colors } from './colors.ts';
import type { EventShape, ExecutionShape } from '../client/types.ts';
import type { Terminal } from './terminal.ts';

const levelColours: Readonly<Record<string, (text: string) => string>> = {
  debug: colors.gray,
  info: colors.cyan,
  warning: colors.yellow,
  error: colors.red,
  critical: colors.red,
};

function labelOf(event: EventShape): string {
  if (event.type === 'cloudify_log') {
    const level = (event.level ?? 'info').toLowerCase();
    return (levelColours[level] ?? String)(level.toUpperCase().padEnd(5).slice(0, 5));
  }
  return colors.bold('EVENT');
}

function place(event: EventShape): string {
  const parts = [event.node_instance_id, event.operation?.split('.').at(-1)].filter(
    (part): part is string => typeof part === 'string' && part !== '',
  );
  return parts.length > 0 ? colors.dim(`[${parts.join('.')}] `) : '';
}

/** One event or log line as people read it. */
export function formatEvent(event: EventShape, options: { withCauses?: boolean } = {}): string {
  const time = event.timestamp.slice(11, 23);
  const line = `${colors.dim(time)} ${labelOf(event)} ${place(event)}${event.message}`;
  if (options.withCauses !== true || !event.error_causes) {
    return line;
  }
  const causes = event.error_causes.map((cause) => colors.dim(cause.traceback || `${cause.type}: ${cause.message}`));
  return [line, ...causes].join('\n');
}

/** Shows how an execution goes on: its events, and on a screen a bar of finished operations below them. */
export interface ProgressView {
  events(events: readonly EventShape[]): void;
  execution(execution: ExecutionShape): void;
  note(text: string): void;
  stop(): void;
}

class PlainView implements ProgressView {
  private readonly terminal: Terminal;
  private readonly withCauses: boolean;

  constructor(terminal: Terminal, withCauses: boolean) {
    this.terminal = terminal;
    this.withCauses = withCauses;
  }

  events(events: readonly EventShape[]): void {
    this.terminal.stderr.write(
      events.map((event) => `${formatEvent(event, { withCauses: this.withCauses })}\n`).join(''),
    );
  }

  execution(): void {
    // the events say it all where nothing can be redrawn
  }

  note(text: string): void {
    this.terminal.stderr.write(`${text}\n`);
  }

  stop(): void {
    // nothing is open
  }
}

class BarView implements ProgressView {
  private readonly bars: cliProgress.MultiBar;
  private readonly bar: cliProgress.SingleBar;
  private readonly withCauses: boolean;
  private readonly columns: number;

  constructor(terminal: Terminal, title: string, withCauses: boolean) {
    this.withCauses = withCauses;
    this.columns = terminal.columns;
    this.bars = new cliProgress.MultiBar(
      {
        stream: terminal.stderr,
        format: `${title} ${colors.green('{bar}')} {value}/{total} operations  {status}  {duration_formatted}`,
        hideCursor: true,
        clearOnComplete: true,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        barsize: 30,
        fps: 20,
      },
      cliProgress.Presets.shades_classic,
    );
    this.bar = this.bars.create(0, 0, { status: 'pending' });
  }

  events(events: readonly EventShape[]): void {
    for (const event of events) {
      const line = formatEvent(event, { withCauses: this.withCauses });
      this.bars.log(`${line.slice(0, this.columns * 20)}\n`);
    }
  }

  execution(execution: ExecutionShape): void {
    this.bar.setTotal(execution.total_operations);
    this.bar.update(execution.finished_operations, { status: execution.status_display });
  }

  note(text: string): void {
    this.bars.log(`${text}\n`);
  }

  stop(): void {
    this.bars.stop();
  }
}

/** Picks the view that suits the terminal. */
export function makeProgressView(terminal: Terminal, title: string, options: { withCauses: boolean }): ProgressView {
  return terminal.isInteractive
    ? new BarView(terminal, title, options.withCauses)
    : new PlainView(terminal, options.withCauses);
}

/** Shows bytes of an upload on a screen; silent elsewhere. */
export function makeTransferBar(
  terminal: Terminal,
  title: string,
): { update(sent: number, total: number): void; stop(): void } {
  if (!terminal.isInteractive) {
    return { update: () => undefined, stop: () => undefined };
  }
  const bar = new cliProgress.SingleBar({
    stream: terminal.stderr,
    format: `${title} ${colors.green('{bar}')} {percentage}%`,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
  });
  let isStarted = false;
  return {
    update: (sent, total) => {
      if (!isStarted) {
        isStarted = true;
        bar.start(total, 0);
      }
      bar.update(sent);
    },
    stop: () => {
      if (isStarted) {
        bar.stop();
      }
    },
  };
}
