import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { BerReader, BerWriter } from 'ldapts';

export interface DirectoryEntry {
  dn: string;
  password?: string;
  attributes: Record<string, readonly string[]>;
}

const operations = { bind: 0x60, unbind: 0x42, search: 0x63 } as const;
const answers = { bind: 0x61, entry: 0x64, done: 0x65 } as const;
const filters = { and: 0xa0, or: 0xa1, equality: 0xa3, present: 0x87 } as const;
const codes = { success: 0, invalidCredentials: 49 } as const;

type Matcher = (entry: DirectoryEntry) => boolean;

function valuesOf(entry: DirectoryEntry, name: string): readonly string[] {
  const found = Object.entries(entry.attributes).find(([key]) => key.toLowerCase() === name.toLowerCase());
  return found?.[1] ?? [];
}

function readFilter(reader: BerReader): Matcher {
  const tag = reader.peek() ?? 0;
  if (tag === filters.present) {
    const name = reader.readString(tag) ?? '';
    return (entry) => valuesOf(entry, name).length > 0;
  }
  reader.readSequence(tag);
  const end = reader.offset + reader.length;
  if (tag === filters.equality) {
    const name = reader.readString() ?? '';
    const value = (reader.readString() ?? '').toLowerCase();
    return (entry) => valuesOf(entry, name).some((item) => item.toLowerCase() === value);
  }
  const parts: Matcher[] = [];
  while (reader.offset < end) {
    parts.push(readFilter(reader));
  }
  return tag === filters.and
    ? (entry) => parts.every((part) => part(entry))
    : (entry) => parts.some((part) => part(entry));
}

/** A directory that answers binds and searches, as much of LDAP as logins need. */
export class LdapServer {
  readonly entries: DirectoryEntry[];
  /** Names that asked to be let in, with the outcome. */
  readonly binds: [string, boolean][] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(entries: DirectoryEntry[]) {
    this.entries = entries;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      socket.on('data', (data) => this.#answer(socket, data));
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `ldap://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#server.close();
  }

  #answer(socket: Socket, data: Buffer): void {
    const reader = new BerReader(data);
    reader.readSequence();
    const id = reader.readInt() ?? 0;
    const operation = reader.peek();
    if (operation === operations.bind) {
      reader.readSequence(operation);
      reader.readInt();
      const name = reader.readString() ?? '';
      const password = reader.readString(0x80) ?? '';
      const entry = this.entries.find(({ dn }) => dn.toLowerCase() === name.toLowerCase());
      const isRight = password === '' || (entry?.password !== undefined && entry.password === password);
      this.binds.push([name, isRight]);
      this.#finish(socket, id, answers.bind, isRight ? codes.success : codes.invalidCredentials);
    } else if (operation === operations.search) {
      this.#search(socket, id, reader);
    } else {
      socket.end();
    }
  }

  #search(socket: Socket, id: number, reader: BerReader): void {
    reader.readSequence(operations.search);
    const base = (reader.readString() ?? '').toLowerCase();
    reader.readEnumeration();
    reader.readEnumeration();
    reader.readInt();
    reader.readInt();
    reader.readBoolean();
    const matches = readFilter(reader);
    for (const entry of this.entries.filter(({ dn }) => dn.toLowerCase().endsWith(base)).filter(matches)) {
      const writer = new BerWriter();
      writer.startSequence();
      writer.writeInt(id);
      writer.startSequence(answers.entry);
      writer.writeString(entry.dn);
      writer.startSequence();
      for (const [name, values] of Object.entries(entry.attributes)) {
        writer.startSequence();
        writer.writeString(name);
        writer.startSequence(0x31);
        values.forEach((value) => writer.writeString(value));
        writer.endSequence();
        writer.endSequence();
      }
      writer.endSequence();
      writer.endSequence();
      writer.endSequence();
      socket.write(writer.buffer);
    }
    this.#finish(socket, id, answers.done, codes.success);
  }

  #finish(socket: Socket, id: number, tag: number, code: number): void {
    const writer = new BerWriter();
    writer.startSequence();
    writer.writeInt(id);
    writer.startSequence(tag);
    writer.writeEnumeration(code);
    writer.writeString('');
    writer.writeString('');
    writer.endSequence();
    writer.endSequence();
    socket.write(writer.buffer);
  }
}
