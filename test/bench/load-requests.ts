/** What a client of the load generator sends, as data that travels between processes. */
export type RequestKind =
  | { readonly kind: 'get'; readonly path: string }
  /** `{n}` in the path becomes a number that no other request has. */
  | { readonly kind: 'put' | 'post'; readonly path: string; readonly body: object }
  /** Creates by the path and removes again, in turn. */
  | { readonly kind: 'put-and-delete'; readonly path: string; readonly body: object }
  /** Every client changes the instance of its own number, each time the version it knows. */
  | { readonly kind: 'patch-instance'; readonly ids: readonly string[] };

/** One request as it goes out. */
export interface Outgoing {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
}

/** What one client has to remember between its requests of one kind. */
export interface Sender {
  /** @param number one that no other request has */
  next(number: string): Outgoing;
  /** Told the answer to the request before. */
  answered(status: number, body: Buffer): void;
}

const ignore = (): void => undefined;

function patchSender(ids: readonly string[], client: number): Sender {
  const id = ids[client % ids.length] ?? '';
  let version: number | undefined;
  return {
    // the version is unknown at first, and again when an answer was none
    next: (number) =>
      version === undefined
        ? { method: 'GET', path: `/node-instances/${id}` }
        : {
            method: 'PATCH',
            path: `/node-instances/${id}`,
            body: JSON.stringify({ version, runtime_properties: { written: number } }),
          },
    answered: (status, body) => {
      version = status === 200 ? (JSON.parse(body.toString()) as { version: number }).version : undefined;
    },
  };
}

function alternatingSender(path: string, body: object): Sender {
  let present: string | undefined;
  return {
    next: (number) => {
      if (present !== undefined) {
        const gone = present;
        present = undefined;
        return { method: 'DELETE', path: gone };
      }
      present = path.replace('{n}', number);
      return { method: 'PUT', path: present, body: JSON.stringify(body) };
    },
    answered: ignore,
  };
}

/** Makes what client number `client` sends. */
export function senderOf(request: RequestKind, client: number): Sender {
  switch (request.kind) {
    case 'get':
      return { next: () => ({ method: 'GET', path: request.path }), answered: ignore };
    case 'patch-instance':
      return patchSender(request.ids, client);
    case 'put-and-delete':
      return alternatingSender(request.path, request.body);
    default: {
      const body = JSON.stringify(request.body);
      const method = request.kind === 'put' ? 'PUT' : 'POST';
      return { next: (number) => ({ method, path: request.path.replace('{n}', number), body }), answered: ignore };
    }
  }
}
