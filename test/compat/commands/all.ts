/** Every command of `cfy` 7.0.5; the test compares the list with the program that is installed. */
export const cfyCommands: readonly string[] = `
agents install
agents list
agents validate
apply
auditlog list
auditlog truncate
blueprints create-requirements
blueprints delete
blueprints download
blueprints filters create
blueprints filters delete
blueprints filters get
blueprints filters list
blueprints filters update
blueprints get
blueprints inputs
blueprints labels add
blueprints labels delete
blueprints labels list
blueprints list
blueprints package
blueprints set-global
blueprints set-icon
blueprints set-owner
blueprints set-visibility
blueprints summary
blueprints upload
blueprints validate
certificates generate-replace-config
certificates replace
cluster brokers add
cluster brokers get
cluster brokers list
cluster brokers remove
cluster brokers update
cluster db-nodes list
cluster db-nodes update
cluster managers list
cluster remove
cluster status
cluster update-profile
community register
config list
config update
db-nodes list
db-nodes update
deployments capabilities
deployments create
deployments delete
deployments filters create
deployments filters delete
deployments filters get
deployments filters list
deployments filters update
deployments get-update
deployments groups create
deployments groups delete
deployments groups extend
deployments groups labels add
deployments groups labels delete
deployments groups labels list
deployments groups list
deployments groups shrink
deployments groups update
deployments groups update-deployments
deployments history
deployments inputs
deployments labels add
deployments labels delete
deployments labels list
deployments list
deployments modifications get
deployments modifications list
deployments modifications rollback
deployments outputs
deployments schedule create
deployments schedule delete
deployments schedule disable
deployments schedule enable
deployments schedule get
deployments schedule list
deployments schedule summary
deployments schedule update
deployments set-owner
deployments set-site
deployments set-visibility
deployments status-list
deployments summary
deployments update
events delete
events list
executions cancel
executions delete
executions get
executions graphs list
executions groups cancel
executions groups details
executions groups get
executions groups list
executions groups resume
executions groups set-concurrency
executions groups set-failure-group
executions groups set-success-group
executions groups start
executions list
executions operations get
executions operations list
executions resume
executions start
executions summary
groups list
idp get
init
install
ldap set
ldap status
license check
license environments count
license environments list
license list
license remove
license upload
log-bundles create
log-bundles delete
log-bundles download
log-bundles list
maintenance-mode activate
maintenance-mode deactivate
maintenance-mode status
managers list
node-instances delete-runtime
node-instances get
node-instances list
node-instances summary
node-instances update-runtime
nodes get
nodes list
nodes summary
permissions allow
permissions disallow
permissions list
plugins blueprint-labels add
plugins blueprint-labels delete
plugins blueprint-labels list
plugins bundle-upload
plugins delete
plugins deployment-labels add
plugins deployment-labels delete
plugins deployment-labels list
plugins download
plugins download_yaml
plugins get
plugins get-update
plugins history
plugins install
plugins list
plugins list_updates
plugins resource-tags add
plugins resource-tags delete
plugins resource-tags list
plugins set-global
plugins set-owner
plugins set-visibility
plugins update
plugins upload
plugins validate
profiles delete
profiles export
profiles import
profiles list
profiles set
profiles set-cluster
profiles show-current
profiles unset
profiles use
secrets create
secrets delete
secrets export
secrets get
secrets import
secrets list
secrets providers create
secrets providers delete
secrets providers get
secrets providers list
secrets providers test
secrets providers update
secrets set-global
secrets set-owner
secrets set-visibility
secrets update
sites create
sites delete
sites get
sites list
sites update
snapshots create
snapshots delete
snapshots download
snapshots list
snapshots restore
snapshots status
snapshots upload
status
tenants add-user
tenants add-user-group
tenants create
tenants delete
tenants get
tenants list
tenants remove-user
tenants remove-user-group
tenants update-user
tenants update-user-group
tokens create
tokens delete
tokens get
tokens list
uninstall
user-groups add-user
user-groups create
user-groups delete
user-groups get
user-groups list
user-groups remove-user
user-groups set-role
users activate
users create
users deactivate
users delete
users get
users list
users set-password
users set-role
users unlock
workflows get
workflows list
`
  .trim()
  .split('\n');

/** Commands that are not tried, and why. */
export const untried: Readonly<Record<string, string>> = {
  'certificates generate-replace-config': 'writes a file for managers that are reached over SSH; use `gantry certs`',
  'certificates replace': 'works on the machines of the old manager over SSH; use `gantry certs`',
  'cluster brokers add': 'the manager is told its brokers by configuration, not by clients',
  'cluster brokers get': 'the only broker has no name that clients could know beforehand',
  'cluster brokers remove': 'the manager is told its brokers by configuration, not by clients',
  'cluster brokers update': 'the manager is told its brokers by configuration, not by clients',
  'cluster remove': 'processes come and go by themselves',
  'cluster update-profile': 'changes the profile only',
  'community register': 'there is nothing to register with',
  init: 'works without a manager',
  'ldap set': 'needs a directory; logging in by one is tested on its own',
  'license remove': 'there is no licence to remove',
  'license upload': 'there is no licence to upload',
  'plugins bundle-upload': 'fetches a bundle from a site that is gone',
  'plugins validate': 'looks into a wagon only',
  'profiles delete': 'would leave the test without a profile',
  'profiles set-cluster': 'changes the profile only',
};
