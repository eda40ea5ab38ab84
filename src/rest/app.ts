import express from 'express';
import type { Express } from 'express';
import type { Config } from '../config/config.ts';
import type { Logger } from '../log/logger.ts';
import type { Services } from '../services/services.ts';
import { errorHandler, unknownPath } from './errors.ts';
import { mountRoutes } from './mount.ts';
import { assignRequestId, hardenAnswers } from './request-id.ts';
import { mountResources } from './resources.ts';
import { allRoutes } from './routes/index.ts';

/** The versions a client may ask for; all are answered alike. */
export const apiPrefixes = ['v3.1', 'v3', 'v2.1', 'v2', 'v1'].map((version) => `/api/${version}`);

export interface AppDependencies {
  readonly config: Config;
  readonly log: Logger;
  readonly services: Services;
}

/**
 * Makes the HTTP application: REST API below `/api/v3.1` (and older prefixes), file server below `/resources`.
 * Further middleware, such as a console, may be added to what is returned only before `finishApp`.
 */
export function createApp(dependencies: AppDependencies): Express {
  const { log, services } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.set('trust proxy', 'loopback, linklocal, uniquelocal');
  app.use(assignRequestId, hardenAnswers);
  const routes = allRoutes(dependencies);
  const api = mountRoutes(routes, services);
  app.use(apiPrefixes, api);
  app.use(
    '/api',
    mountRoutes(
      routes.filter(({ path }) => path === '/version'),
      services,
    ),
  );
  app.use('/api', unknownPath);
  mountResources(app, dependencies);
  return app;
}

/** Adds what must come last: the answer to unknown paths and the error body. */
export function finishApp(app: Express, log: Logger): Express {
  app.use(unknownPath);
  app.use(errorHandler(log));
  return app;
}
