const NEST_URL = process.env.NEST_URL ?? 'http://localhost:3000';

// The browser asks Next for /api/events, and Next asks Nest for /events.
const toNest = { source: '/api/:path*', destination: `${NEST_URL}/:path*` };

export default { rewrites: async () => [toNest] };
