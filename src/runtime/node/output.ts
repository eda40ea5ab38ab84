/**
 * Sends what a plugin prints to `write`, line by line, each marked with the stream it was printed to.
 * @returns puts the streams back as they were
 */
export function redirectOutput(write: (line: string) => void): () => void {
  const restores = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const original = stream.write.bind(stream);
    let pending = '';
    const flush = (text: string): void => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        write(`${name === 'stdout' ? '<out>' : '<err>'} ${line}`);
      }
    };
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      flush(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'));
      const done = rest.at(-1);
      if (typeof done === 'function') {
        (done as () => void)();
      }
      return true;
    };
    return () => {
      if (pending !== '') {
        flush('\n');
      }
      stream.write = original;
    };
  });
  return () => restores.forEach((restore) => restore());
}
