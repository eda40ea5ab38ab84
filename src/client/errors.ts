/** The manager answered and refused. `code` is the error_code of the answer, e.g. `not_found_error`. */
export class GantryApiError extends Error {
  override readonly name = 'GantryApiError';
  readonly status: number;
  readonly code: string;
  /** Remaining members of the error body, such as `err_filter_rule`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly request: string;

  constructor(request: string, status: number, code: string, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.request = request;
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** No answer at all: the manager is not running, not reachable, or the connection broke. */
export class ManagerUnreachableError extends Error {
  override readonly name = 'ManagerUnreachableError';
  readonly url: string;
  /** Code of the operating system or TLS library, e.g. `ECONNREFUSED`; empty when there is none. */
  readonly reason: string;

  constructor(url: string, reason: string, cause: unknown) {
    super(`No answer from ${url}${reason === '' ? '' : ` (${reason})`}`, { cause });
    this.url = url;
    this.reason = reason;
  }
}

/** Finds the system error code in a chain of causes, as fetch hides it below `TypeError: fetch failed`. */
export function connectionErrorCode(thrown: unknown): string {
  let current: unknown = thrown;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if ('code' in current && typeof current.code === 'string') {
      return current.code;
    }
    if (current instanceof AggregateError && current.errors.length > 0) {
      current = current.errors[0];
    } else {
      current = current.cause;
    }
  }
  return '';
}

/**
 * Turns the body of a refusal into an error; copes with bodies that are not ours (a proxy's HTML page).
 * @param request method and path, for the message of last resort
 */
export function errorFromBody(request: string, status: number, text: string): GantryApiError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body !== 'object' || body === null) {
    const plain = text
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim();
    return new GantryApiError(
      request,
      status,
      `http_${status}`,
      plain.slice(0, 300) || `${request} answered ${status}`,
    );
  }
  const { message, error_code: code, server_traceback: _traceback, ...details } = body as Record<string, unknown>;
  return new GantryApiError(
    request,
    status,
    typeof code === 'string' ? code : `http_${status}`,
    typeof message === 'string' && message !== '' ? message : `${request} answered ${status}`,
    details,
  );
}
