import type { Config } from '../../config/config.ts';
import { compatibleVersion } from '../../domain/compatible-version.ts';
import type { Services } from '../../services/services.ts';
import { file, json } from '../answer.ts';
import { renderApiPage } from '../api-page.ts';
import type { ApiPage } from '../api-page.ts';
import { openApiDocument } from '../openapi.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';
import { agentRoutes } from './agents.ts';
import { auditRoutes } from './audit.ts';
import { blueprintRoutes } from './blueprints.ts';
import { deploymentGroupRoutes } from './deployment-groups.ts';
import { clusterRoutes } from './cluster.ts';
import { deploymentModificationRoutes } from './deployment-modifications.ts';
import { deploymentRoutes } from './deployments.ts';
import { deploymentUpdateRoutes } from './deployment-updates.ts';
import { evaluateRoutes } from './evaluate.ts';
import { eventRoutes } from './events.ts';
import { executionGroupRoutes } from './execution-groups.ts';
import { executionControlRoutes } from './execution-control.ts';
import { executionPlanRoutes } from './execution-plan.ts';
import { executionRoutes } from './executions.ts';
import { fileServerRoutes } from './file-server.ts';
import { interDeploymentDependencyRoutes } from './inter-deployment-dependencies.ts';
import { maintenanceRoutes } from './maintenance.ts';
import { filterRoutes } from './filters.ts';
import { searchRoutes } from './searches.ts';
import { directoryRoutes } from './directory.ts';
import { licenseRoutes } from './license.ts';
import { managerRoutes } from './manager.ts';
import { openIdRoutes } from './openid.ts';
import { permissionRoutes } from './permissions.ts';
import { pluginRoutes } from './plugins.ts';
import { scheduleRoutes } from './schedules.ts';
import { archiveRoutes } from './archives.ts';
import { streamRoutes } from './stream.ts';
import { summaryRoutes } from './summaries.ts';
import { pluginsUpdateRoutes } from './plugins-updates.ts';
import { recordRoutes } from './records.ts';
import { siteRoutes } from './sites.ts';
import { userGroupRoutes } from './user-groups.ts';
import { nodeInstanceRoutes, nodeRoutes } from './nodes.ts';
import { operationRoutes } from './operations.ts';
import { secretsProviderRoutes } from './secrets-providers.ts';
import { secretRoutes } from './secrets.ts';
import { tenantRoutes } from './tenants.ts';
import { tokenRoutes } from './tokens.ts';
import { userRoutes } from './users.ts';

/** Every route of the API. */
export function allRoutes({ config, services }: { config: Config; services: Services }): Route[] {
  const routes: Route[] = [
    ...blueprintRoutes({ config, ...services }),
    ...deploymentRoutes(services.deployments, services.filters),
    ...deploymentUpdateRoutes(services.deploymentUpdates),
    ...pluginsUpdateRoutes(services.pluginsUpdates),
    ...evaluateRoutes(services.deployments),
    ...executionControlRoutes(services.executionControl),
    ...executionPlanRoutes(services.executionControl),
    ...executionRoutes(services.executions, services.schedules),
    ...nodeRoutes(services.nodes),
    ...nodeInstanceRoutes(services.nodeInstances),
    ...operationRoutes(services.operations),
    ...eventRoutes(services.events),
    ...secretRoutes(services.secrets, services.secretExchange),
    ...secretsProviderRoutes(services.secretsProviders),
    ...tenantRoutes(services.tenants, services.tenantQuotas),
    ...userRoutes(services.users),
    ...tokenRoutes(services.tokens),
    ...filterRoutes(services.filters, services.labels),
    ...searchRoutes(services),
    ...managerRoutes(services.manager, services.permissions, services.restoring),
    ...permissionRoutes(services.permissions),
    ...clusterRoutes(services.cluster),
    ...licenseRoutes(),
    ...directoryRoutes(services),
    ...openIdRoutes(services),
    ...maintenanceRoutes(services.maintenance),
    ...siteRoutes(services.sites),
    ...recordRoutes(services.records),
    ...deploymentModificationRoutes(services.deploymentModifications),
    ...interDeploymentDependencyRoutes(services.interDeploymentDependencies),
    ...deploymentGroupRoutes(services.deploymentGroups),
    ...executionGroupRoutes(services.executionGroups),
    ...scheduleRoutes(services.schedules),
    ...summaryRoutes(services.summaries),
    ...pluginRoutes({ config, ...services }),
    ...userGroupRoutes(services.userGroups),
    ...auditRoutes(services.audit),
    ...agentRoutes(services.agents),
    ...fileServerRoutes({ config, ...services }),
    ...streamRoutes(services.live),
    ...archiveRoutes(services),
  ];
  let described: object | undefined;
  const describe = (): object => (described ??= openApiDocument(all, compatibleVersion));
  let shown: ApiPage | undefined;
  const document: Route = {
    method: 'get',
    path: '/openapi.json',
    summary: 'This description of the API',
    access: { tenant: 'optional' },
    isMaintenance: true,
    answer: json({ type: 'object' }),
    handle: () => ok(describe()),
  };
  const page: Route = {
    method: 'get',
    path: '/openapi.html',
    summary: 'This description of the API as an HTML page',
    access: { tenant: 'optional' },
    isMaintenance: true,
    answer: file('text/html'),
    handle: ({ response }) => {
      shown ??= renderApiPage(describe());
      const { html, policy } = shown;
      response.status(200).set({ 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
      response.send(html);
      return 'sent';
    },
  };
  const all = [...routes, document, page];
  return all;
}
