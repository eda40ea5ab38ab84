/** Where in a blueprint an error was found. */
export interface DslErrorPlace {
  /** Numeric code of the error catalogue; classes outside the parser's own family have none. */
  code?: number;
  /** Dotted path of the element, e.g. `node_templates.vm.properties.ip`. */
  path?: string;
}

/**
 * A blueprint, its inputs or one of its functions is wrong.
 *
 * `className` is the error class clients know from Cloudify 7 (e.g. `DSLParsingLogicException`, `ValueError`), kept as
 * data because clients tell errors apart by class and code, not by text.
 */
export class DslError extends Error {
  readonly className: string;
  readonly code: number | undefined;
  readonly path: string | undefined;

  constructor(className: string, message: string, place: DslErrorPlace = {}) {
    super(message);
    this.name = 'DslError';
    this.className = className;
    this.code = place.code;
    this.path = place.path;
  }
}
