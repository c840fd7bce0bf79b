module example.test/service
