/** Loaded before every test: what the command line prints is compared as plain text, in a terminal as in a pipe. */
process.env['NO_COLOR'] = '1';
delete process.env['FORCE_COLOR'];
