export const greet = url => `hello, ${url.searchParams.get('name')}`;
