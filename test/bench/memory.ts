import { readFileSync, readdirSync } from 'node:fs';

/** Peak resident memory of a process in MiB, as Linux counts it; undefined where that cannot be told. */
export function peakMemory(pid: number): number | undefined {
  return memoryField(pid, 'VmHWM');
}

/** Resident memory of a process in MiB now; undefined where that cannot be told. */
export function residentMemory(pid: number): number | undefined {
  return memoryField(pid, 'VmRSS');
}

function memoryField(pid: number, name: 'VmHWM' | 'VmRSS'): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
    return Number.isFinite(kilobytes) ? Math.round(kilobytes / 1024) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds of processor time a process and its ended children have used. */
export function processorSeconds(pid: number): number {
  // user and system time, own and of children that ended, in ticks of a hundredth of a second
  const fields = statusFields(pid)?.fields;
  return fields ? [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) / 100 : 0;
}

/** Everything that descends from `ancestor`, with the names of the programs. */
export function descendants(ancestor: number): { pid: number; command: string }[] {
  const children = new Map<number, { pid: number; command: string }[]>();
  for (const name of readdirSync('/proc')) {
    const status = /^\d+$/.test(name) ? statusFields(Number(name)) : undefined;
    if (status) {
      const parent = Number(status.fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), { pid: Number(name), command: status.command }]);
    }
  }
  const below = (pid: number): { pid: number; command: string }[] =>
    (children.get(pid) ?? []).flatMap((child) => [child, ...below(child.pid)]);
  return below(ancestor);
}

/** What Linux tells of a process: its name, and the fields after it (state, parent, ...). */
function statusFields(pid: number): { command: string; fields: string[] } | undefined {
  try {
    const match = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return match ? { command: match[1] ?? '', fields: (match[2] ?? '').split(' ') } : undefined;
  } catch {
    return undefined;
  }
}
