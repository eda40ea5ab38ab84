import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Seconds; from quick reads to long operations. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];
const operationBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];
const executionBuckets = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

/** A number that is read when metrics are requested. */
export interface Reading {
  readonly name: string;
  readonly help: string;
  /** Name of the label, where there are several numbers. */
  readonly label?: string;
  /** The number, or the numbers by value of the label. */
  readonly read: () => Promise<number | Readonly<Record<string, number>>> | number | Readonly<Record<string, number>>;
}

/** What one process measures about itself, in the form Prometheus reads. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram;
  readonly #operations: Histogram;
  readonly #executions: Histogram;
  readonly #failedReadings: Counter;
  #isWatched = false;

  /** @param labels of every number, such as the name of the process */
  constructor(labels: Readonly<Record<string, string>>) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels(labels);
    this.#requests = new Histogram({
      name: 'gantry_http_request_duration_seconds',
      help: 'Duration of answered HTTP requests',
      labelNames: ['method', 'route', 'status'],
      buckets: requestBuckets,
      registers,
    });
    this.#operations = new Histogram({
      name: 'gantry_operation_duration_seconds',
      help: 'Duration of operations that this process ran',
      labelNames: ['outcome'],
      buckets: operationBuckets,
      registers,
    });
    this.#executions = new Histogram({
      name: 'gantry_execution_duration_seconds',
      help: 'Duration of executions that this process drove to their end',
      labelNames: ['workflow', 'outcome'],
      buckets: executionBuckets,
      registers,
    });
    this.#failedReadings = new Counter({
      name: 'gantry_metrics_failed_total',
      help: 'Numbers that could not be looked up',
      labelNames: ['metric'],
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @param route path with placeholders; never one with ids */
  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
  }

  observeOperation(outcome: 'succeeded' | 'failed' | 'rescheduled', seconds: number): void {
    this.#operations.observe({ outcome }, seconds);
  }

  observeExecution(workflow: string, outcome: string, seconds: number): void {
    this.#executions.observe({ workflow, outcome }, seconds);
  }

  /** Adds numbers that are looked up whenever the metrics are read; one that fails leaves the others alone. */
  add({ name, help, label, read }: Reading): void {
    const failures = this.#failedReadings;
    new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      async collect() {
        this.reset();
        try {
          const value = await read();
          if (typeof value === 'number') {
            this.set(value);
          } else {
            Object.entries(value).forEach(([key, number]) => this.set({ [label ?? 'kind']: key }, number));
          }
        } catch {
          this.reset();
          failures.inc({ metric: name });
        }
      },
    });
  }

  /** All numbers as text. */
  text(): Promise<string> {
    this.#watchProcess();
    return this.#registry.metrics();
  }

  /**
   * Measures memory, processor time, file handles, garbage collection and the delay of the event loop from the first
   * time that somebody asks: the delay alone wakes a process a hundred times a second, which is most of what one costs
   * that has nothing to do.
   */
  #watchProcess(): void {
    if (!this.#isWatched) {
      this.#isWatched = true;
      collectDefaultMetrics({ register: this.#registry });
    }
  }
}
