import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import {
  CompletionItemKind,
  createConnection,
  DiagnosticSeverity,
  MarkupKind,
  ResponseError,
  LSPErrorCodes,
  StreamMessageReader,
  StreamMessageWriter,
  SymbolKind,
  TextDocuments,
  TextDocumentSyncKind,
} from 'vscode-languageserver/node';
import type {
  CompletionItem,
  Connection,
  Diagnostic,
  DocumentSymbol,
  InitializeResult,
  Location,
  Range,
  TextDocumentPositionParams,
  WorkspaceEdit,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { packageRoot } from '../config/package-root.ts';
import { coerceError } from '../domain/errors.ts';
import type { BlueprintProblem } from '../dsl/report/problem.ts';
import { completionSpotAt, proposalsFor } from './completion.ts';
import type { Proposal } from './completion.ts';
import { Checker } from './diagnostics.ts';
import { hoverText } from './hover.ts';
import type { Place } from './meaning.ts';
import { Names } from './names.ts';
import { definitionOf, nameAt, occurrencesOf, renameEdits, RenameRefusal, spanWithin } from './navigation.ts';
import type { Span } from './navigation.ts';
import { outlineOf } from './outline.ts';
import type { OutlineItem } from './outline.ts';
import { normalUri, Workspace } from './workspace.ts';
import type { SourceFile, Unit } from './workspace.ts';
import type { Spot } from './yaml-model.ts';

/** Milliseconds of rest in typing before a blueprint is checked. */
const checkDelay = 150;

const proposalKinds: Readonly<Record<Proposal['kind'], CompletionItemKind>> = {
  field: CompletionItemKind.Property,
  type: CompletionItemKind.Class,
  node: CompletionItemKind.Reference,
  input: CompletionItemKind.Variable,
  function: CompletionItemKind.Function,
  value: CompletionItemKind.Value,
  operation: CompletionItemKind.Method,
};

const symbolKinds: Readonly<Record<string, SymbolKind>> = {
  node_types: SymbolKind.Class,
  relationships: SymbolKind.Interface,
  data_types: SymbolKind.Struct,
  node_templates: SymbolKind.Object,
  inputs: SymbolKind.Variable,
  outputs: SymbolKind.Field,
  capabilities: SymbolKind.Field,
  plugins: SymbolKind.Package,
  workflows: SymbolKind.Function,
};

const initializeResult = (version: string): InitializeResult => ({
  serverInfo: { name: 'gantry', version },
  capabilities: {
    textDocumentSync: TextDocumentSyncKind.Incremental,
    completionProvider: { triggerCharacters: ['.', ' ', '[', '{', ':'] },
    hoverProvider: true,
    definitionProvider: true,
    referencesProvider: true,
    renameProvider: { prepareProvider: true },
    documentSymbolProvider: true,
  },
});

export interface LanguageServerOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly version: string;
  readonly signal: AbortSignal;
}

/**
 * Serves editors over the language server protocol until the editor says `exit`, closes the input or the signal comes.
 */
export async function serveLanguage({ input, output, version, signal }: LanguageServerOptions): Promise<void> {
  const connection = createConnection(new StreamMessageReader(input), new StreamMessageWriter(output));
  const server = new LanguageServer(connection, join(packageRoot(), 'resources'), version);
  const ended = new Promise<void>((resolve) => {
    connection.onExit(() => resolve());
    input.once('close', resolve);
    input.once('end', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  server.start();
  connection.listen();
  await ended;
  server.stop();
  connection.dispose();
}

class LanguageServer {
  readonly #connection: Connection;
  readonly #documents = new TextDocuments(TextDocument);
  readonly #workspace: Workspace;
  readonly #checker: Checker;
  readonly #version: string;
  /** Main file -> files it has put problems into. */
  readonly #reported = new Map<string, Map<string, readonly BlueprintProblem[]>>();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> = Promise.resolve();

  constructor(connection: Connection, resources: string, version: string) {
    this.#connection = connection;
    this.#version = version;
    this.#workspace = new Workspace(
      {
        textOf: (uri) => this.#document(uri)?.getText(),
        uris: () => this.#documents.all().map(({ uri }) => normalUri(uri)),
      },
      resources,
    );
    this.#checker = new Checker(this.#workspace);
  }

  start(): void {
    const connection = this.#connection;
    connection.onInitialize(() => initializeResult(this.#version));
    connection.onCompletion((parameters) => this.#complete(parameters));
    connection.onHover((parameters) =>
      this.#at(parameters, (spot, place) => {
        const value = hoverText(spot, place);
        const range = this.#rangeOf({ file: place.unit.file, start: spot.start, end: spot.end });
        return value === undefined ? null : { contents: { kind: MarkupKind.Markdown, value }, range };
      }),
    );
    connection.onDefinition((parameters) =>
      this.#at(parameters, (spot, place) => {
        const span = definitionOf(spot, place);
        return span ? this.#locationOf(span) : null;
      }),
    );
    connection.onReferences((parameters) =>
      this.#at(parameters, (spot, place): Location[] | null => {
        const name = nameAt(spot, place);
        const found = name ? occurrencesOf(name, place.names) : [];
        return found.map(({ unit, spot: each }) => this.#locationOf(spanWithin(unit.file, each)));
      }),
    );
    connection.onPrepareRename((parameters) =>
      this.#at(parameters, (spot, place) =>
        nameAt(spot, place) ? this.#rangeOf(spanWithin(place.unit.file, spot)) : null,
      ),
    );
    connection.onRenameRequest((parameters) => this.#rename(parameters, parameters.newName));
    connection.onDocumentSymbol(async ({ textDocument }) => {
      const file = await this.#workspace.file(normalUri(textDocument.uri));
      return file ? outlineOf(file).map((item) => this.#symbolOf(item, file)) : [];
    });
    this.#documents.onDidChangeContent(() => this.#checkSoon());
    this.#documents.onDidClose(({ document }) => this.#forget(normalUri(document.uri)));
    this.#documents.listen(connection);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #document(uri: string): TextDocument | undefined {
    return this.#documents.get(uri) ?? this.#documents.all().find((document) => normalUri(document.uri) === uri);
  }

  #checkSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#checking = this.#checking
        .then(() => this.#checkAll())
        .catch((error: unknown) => this.#connection.console.error(coerceError(error).stack ?? String(error)));
    }, checkDelay);
  }

  /** A change in one file may matter to every open blueprint; what did not change is answered from the cache. */
  async #checkAll(): Promise<void> {
    for (const document of this.#documents.all()) {
      const uri = normalUri(document.uri);
      const file = this.#workspace.fileOf(uri, document.getText());
      const found = await this.#checker.check(file);
      if (!found.has(uri)) {
        found.set(uri, []);
      }
      const before = this.#reported.get(uri);
      this.#reported.set(uri, found);
      await this.#publish(new Set([...(before?.keys() ?? []), ...found.keys()]));
    }
  }

  /** Tells the problems of files: what every open blueprint found in them. */
  async #publish(uris: ReadonlySet<string>): Promise<void> {
    for (const uri of uris) {
      const problems = new Map<string, BlueprintProblem>();
      for (const found of this.#reported.values()) {
        for (const problem of found.get(uri) ?? []) {
          problems.set(`${problem.message}\0${String(problem.line)}\0${String(problem.column)}`, problem);
        }
      }
      const file = await this.#workspace.file(uri);
      const document = this.#document(uri);
      await this.#connection.sendDiagnostics({
        uri: document?.uri ?? uri,
        ...(document ? { version: document.version } : {}),
        diagnostics: [...problems.values()].map((problem) => this.#diagnosticOf(problem, file)),
      });
    }
  }

  async #forget(uri: string): Promise<void> {
    const before = this.#reported.get(uri);
    this.#reported.delete(uri);
    await this.#publish(new Set([uri, ...(before?.keys() ?? [])]));
  }

  #diagnosticOf(problem: BlueprintProblem, file: SourceFile | undefined): Diagnostic {
    const { message, remedy, code, class: className } = problem;
    const start = { line: (problem.line ?? 1) - 1, character: (problem.column ?? 1) - 1 };
    let range: Range = { start, end: { line: start.line, character: start.character + 1 } };
    if (file) {
      const offset = textDocumentOf(file).offsetAt(start);
      const spot = file.model.spotAt(offset);
      range = this.#rangeOf({ file, start: offset, end: spot?.start === offset ? spot.end : offset + 1 });
    }
    return {
      range,
      severity: DiagnosticSeverity.Error,
      source: 'gantry',
      code: code === null ? className : `${className}/${String(code)}`,
      message: remedy === null ? message : `${message}\n${remedy}`,
    };
  }

  /** The blueprint a file belongs to: its own, or the first open or neighbouring one that imports it. */
  async #unitOf(uri: string): Promise<{ unit: Unit; units: readonly Unit[] } | undefined> {
    const blueprints = await this.#workspace.blueprintsWith(uri);
    const largest = blueprints.toSorted((left, right) => right.length - left.length)[0];
    const unit = largest?.find(({ file }) => file.uri === uri);
    return largest && unit ? { unit, units: largest } : undefined;
  }

  async #at<Answer>(
    { textDocument, position }: TextDocumentPositionParams,
    answer: (spot: Spot, place: Place) => Answer,
  ): Promise<Answer | null> {
    const found = await this.#unitOf(normalUri(textDocument.uri));
    if (!found) {
      return null;
    }
    const { unit, units } = found;
    const spot = unit.file.model.spotAt(textDocumentOf(unit.file).offsetAt(position));
    return spot ? answer(spot, { unit, names: new Names(units) }) : null;
  }

  async #complete({ textDocument, position }: TextDocumentPositionParams): Promise<CompletionItem[]> {
    const found = await this.#unitOf(normalUri(textDocument.uri));
    if (!found) {
      return [];
    }
    const { unit, units } = found;
    const document = textDocumentOf(unit.file);
    const offset = document.offsetAt(position);
    const here = completionSpotAt(unit.file.model.text, offset);
    if (!here) {
      return [];
    }
    const range = { start: document.positionAt(Math.min(here.start, offset)), end: position };
    return proposalsFor(here, { unit, names: new Names(units) }).map(({ label, kind, text, detail, about }) => ({
      label,
      kind: proposalKinds[kind],
      textEdit: { range, newText: text },
      ...(detail === undefined ? {} : { detail }),
      ...(about === undefined ? {} : { documentation: { kind: MarkupKind.Markdown, value: about } }),
    }));
  }

  async #rename(parameters: TextDocumentPositionParams, newName: string): Promise<WorkspaceEdit | null> {
    const uri = normalUri(parameters.textDocument.uri);
    const blueprints = await this.#workspace.blueprintsWith(uri);
    const changes: NonNullable<WorkspaceEdit['changes']> = {};
    const spot = await this.#at(parameters, (found) => found);
    try {
      for (const edit of spot ? renameEdits(newName, spot, uri, blueprints) : []) {
        const target = this.#document(edit.file.uri)?.uri ?? edit.file.uri;
        (changes[target] ??= []).push({ range: this.#rangeOf(edit), newText: edit.text });
      }
    } catch (error) {
      if (error instanceof RenameRefusal) {
        throw new ResponseError(LSPErrorCodes.RequestFailed, error.message);
      }
      throw error;
    }
    return { changes };
  }

  #symbolOf(item: OutlineItem, file: SourceFile): DocumentSymbol {
    const { name, detail, section, key, end, children } = item;
    return {
      name,
      detail,
      kind: section === undefined ? SymbolKind.Namespace : (symbolKinds[section] ?? SymbolKind.Key),
      range: this.#rangeOf({ file, start: key.start, end }),
      selectionRange: this.#rangeOf({ file, start: key.start, end: key.end }),
      children: children.map((child) => this.#symbolOf(child, file)),
    };
  }

  #locationOf(span: Span): Location {
    return { uri: this.#document(span.file.uri)?.uri ?? span.file.uri, range: this.#rangeOf(span) };
  }

  #rangeOf({ file, start, end }: Span): Range {
    const document = textDocumentOf(file);
    return { start: document.positionAt(start), end: document.positionAt(end) };
  }
}

const textDocuments = new WeakMap<SourceFile, TextDocument>();

/** Line and column of offsets in a file. */
function textDocumentOf(file: SourceFile): TextDocument {
  const document = textDocuments.get(file) ?? TextDocument.create(file.uri, 'yaml', 0, file.model.text);
  textDocuments.set(file, document);
  return document;
}
