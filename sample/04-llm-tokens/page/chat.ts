// The SDK checks with Zod what it reads. Zod would compile its checks, which the policy of this
// page forbids; it has to know that before the SDK is loaded.
const { config } = await import('zod/v4/core');
config({ jitless: true });
const { showChat } = await import('./use-chat.js');
await showChat();
