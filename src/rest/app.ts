import express from 'express';
import type { Express } from 'express';
import type { Config } from '../config/config.ts';
import { ClientFiles } from '../files/client-files.ts';
import type { Logger } from '../log/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Services } from '../services/services.ts';
import { errorHandler, unknownPath } from './errors.ts';
import { measureRequests } from './probes.ts';
import { mountRoutes } from './mount.ts';
import type { Route } from './route.ts';
import { assignRequestId, hardenAnswers } from './request-id.ts';
import { mountResources } from './resources.ts';
import { allRoutes } from './routes/index.ts';

/** The versions a client may ask for; all are answered alike. */
const apiPrefixes = ['v3.1', 'v3', 'v2.1', 'v2', 'v1'].map((version) => `/api/${version}`);

export interface AppDependencies {
  readonly config: Config;
  readonly log: Logger;
  readonly services: Services;
  /** Measures requests. */
  readonly metrics?: Metrics;
  /** Adds what else the process serves, such as a console, before unknown paths are answered. */
  readonly extend?: (app: Express) => void;
}

/** Makes the HTTP application: REST API below `/api/v3.1` (and older prefixes), file server below `/resources`. */
export function createApp(dependencies: AppDependencies): Express {
  const { log, services } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.set('trust proxy', [...dependencies.config.http.trustedProxies]);
  if (dependencies.metrics) {
    measureRequests(app, dependencies.metrics);
  }
  app.use(assignRequestId, hardenAnswers);
  const routes = allRoutes(dependencies);
  app.use(apiPrefixes, mountRoutes(routes, services));
  const unversioned = routes.filter((route: Route) => route.path === '/version');
  app.use('/api', mountRoutes(unversioned, services), unknownPath);
  const { files } = services;
  const maxUploadBytes = dependencies.config.http.maxUploadBytes;
  mountResources(app, {
    ...services,
    clientFiles: new ClientFiles(files),
    quotas: services.tenantQuotas,
    maxUploadBytes,
  });
  dependencies.extend?.(app);
  app.use(unknownPath);
  app.use(errorHandler(log));
  return app;
}
