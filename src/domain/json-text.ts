/**
 * A JSON document as its text: for what is only handed on. Parsing and writing it again would cost more than all else of
 * many an answer, and lose digits of large numbers.
 */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Makes it fit into any other document. */
  toJSON(): unknown {
    return JSON.parse(this.text) as unknown;
  }
}
