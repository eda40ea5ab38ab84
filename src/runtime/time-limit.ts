/** The reason of an abort when an operation took too long. */
export class OperationTimeout extends Error {
  override readonly name = 'OperationTimeout';

  constructor(seconds: number) {
    super(`Process killed due to timeout of ${seconds} seconds`);
  }
}
