/** Version of Cloudify Manager whose interface this is; clients compare it with their own. */
export const compatibleVersion = '7.0.5';
